"""Who is calling the API. Three credentials that never stand in for each other (D10).

A route names the actor it serves by its parameter's type: `AgentCaller`, `ReviewerCaller`, `ConsoleCaller`. A test
walks every route with an agent's key.
"""

from __future__ import annotations

import hmac
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Request

from hitl_mcp.contract.routes import CLIENT_NAME
from hitl_mcp.errors import NotAllowed, NotAuthorised
from hitl_mcp.service import people
from hitl_mcp.service.actors import Agent, Console, Person
from hitl_mcp.service.context import Services

MAX_CLIENT_NAME = 100


async def services_of(request: Request) -> Services:
    """The parts of the running service. Async, because FastAPI sends a plain function to a thread and back."""
    services: Services = request.app.state.services
    return services


def _bearer(request: Request) -> str:
    given = request.headers.get("authorization")
    if given is None:
        raise NotAuthorised("Missing Authorization header")
    scheme, _, key = given.partition(" ")
    if scheme.lower() != "bearer" or " " in key.strip():
        raise NotAuthorised("Invalid Authorization header format. Use 'Bearer <api_key>'")
    if not key.strip():
        raise NotAuthorised("Empty API key")
    return key.strip()


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())


async def _agent(request: Request) -> Agent:
    services, key = await services_of(request), _bearer(request)
    if not _same(key, services.keys.agent):
        if _same(key, services.keys.console):
            raise NotAllowed("The console's key cannot ask questions")
        raise NotAuthorised("Invalid API key")
    given = unquote(request.headers.get(CLIENT_NAME, ""), errors="replace")
    name = "".join(c for c in given if c.isprintable())[:MAX_CLIENT_NAME]
    return Agent(services.account.api_key_id, services.account.user_id, name or None)


async def _reviewer(request: Request) -> Person:
    services, token = await services_of(request), _bearer(request)
    if _same(token, services.keys.agent):
        raise NotAllowed("An API key cannot answer. A person answers in the inbox or with `hitl-mcp respond`")
    person = await services.store.read(lambda tx: people.person_of(tx, token))
    if person is None:
        raise NotAuthorised("This session is not known or has ended")
    return person


async def _console(request: Request) -> Console:
    services, key = await services_of(request), _bearer(request)
    if _same(key, services.keys.agent):
        raise NotAllowed("An API key cannot do this")
    if not _same(key, services.keys.console):
        raise NotAuthorised("Invalid console key")
    return Console()


ServicesHere = Annotated[Services, Depends(services_of)]
AgentCaller = Annotated[Agent, Depends(_agent)]
ReviewerCaller = Annotated[Person, Depends(_reviewer)]
ConsoleCaller = Annotated[Console, Depends(_console)]
