"""Who is calling the API. Three credentials that never stand in for each other (D10; its one exception is H7).

A route names the actor it serves by its parameter's type: an agent with a scope (`LoopReader`, `Asker`, ...), a
`ReviewerCaller`, a `ConsoleCaller`. A test walks every route with an agent's key.
"""

from __future__ import annotations

import dataclasses
import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from hitl_mcp.contract.routes import CLIENT_NAME
from hitl_mcp.contract.teams import Scope
from hitl_mcp.errors import NotAllowed, NotAuthorised
from hitl_mcp.service import keys, sessions, tokens
from hitl_mcp.service.actors import Agent, Console, Person
from hitl_mcp.service.context import Services
from hitl_mcp.service.web.limits import count_call

MAX_CLIENT_NAME = 100
REMEMBERED_MS = 2_000
REMEMBERED_KEYS = 1_000
"""A key that was good is not looked up again for two seconds, so a revoked one works for at most that long."""


_key = HTTPBearer(scheme_name="API key", description="An API key: `hitl-mcp keys create NAME`", auto_error=False)
_session = HTTPBearer(scheme_name="Session", description="A signed-in person's session", auto_error=False)
_terminal = HTTPBearer(scheme_name="Console", description="The machine's own terminal", auto_error=False)

# for the API's own description only: each credential is read and judged below
_ShownKey = Annotated[object, Security(_key)]
_ShownSession = Annotated[object, Security(_session)]
_ShownConsole = Annotated[object, Security(_terminal)]


async def services_of(request: Request) -> Services:
    """The parts of the running service. Async, because FastAPI sends a plain function to a thread and back."""
    services: Services = request.app.state.services
    return services


def _bearer(request: Request) -> str:
    given = request.headers.get("authorization")
    if given is None:
        raise NotAuthorised("Missing Authorization header")
    scheme, _, key = given.partition(" ")
    if scheme.lower() == "bearer" and not key.strip():
        raise NotAuthorised("Empty API key")
    if scheme.lower() != "bearer" or " " in key.strip():
        raise NotAuthorised("Invalid Authorization header format. Use 'Bearer <api_key>'")
    return key.strip()


def _same(given: str, known: str | None) -> bool:
    return known is not None and hmac.compare_digest(given.encode(), known.encode())


class KnownKeys:
    """Looks keys up, and remembers good ones for a moment.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._good: OrderedDict[str, tuple[int, keys.Known]] = OrderedDict()

    async def agent(self, secret: str) -> Agent:
        """Whom this secret stands for. Raises: NotAuthorised, NotAllowed for another kind of credential."""
        services = self._services
        if _same(secret, services.keys.agent):
            return Agent(services.account.api_key_id, services.account.user_id, scopes=keys.ALL_SCOPES)
        if _same(secret, services.keys.console):
            raise NotAllowed("The console's key cannot ask questions")
        known_as = keys.hashed(secret)
        remembered = self._good.get(known_as)
        if remembered is not None and _still_good(remembered, services.clock()):
            return remembered[1].agent
        self._good.pop(known_as, None)
        by_token = secret.startswith(tokens.PREFIX)
        known = await services.store.read(lambda tx: (tokens if by_token else keys).find(tx, secret))
        if known is None:
            raise NotAuthorised("This token is not known or has expired" if by_token else "Invalid API key")
        if known.revoked:
            raise NotAuthorised("API key is inactive")
        self._good[known_as] = (services.clock(), known)
        if len(self._good) > REMEMBERED_KEYS:
            self._good.popitem(last=False)
        return known.agent


def _still_good(remembered: tuple[int, keys.Known], now: int) -> bool:
    since, known = remembered
    return 0 <= now - since < REMEMBERED_MS and (known.expires_at is None or now < known.expires_at)


def _agent_with(scope: Scope | None, *, tokens_too: bool = False) -> Callable[..., Awaitable[Agent]]:
    """The caller of a route.

    Args:
        tokens_too: whether a short-lived token may do it too; not unless a route says so.
    """

    async def caller(request: Request, _: _ShownKey) -> Agent:
        known: KnownKeys = request.app.state.known_keys
        agent = await known.agent(_bearer(request))
        await count_call(request, await services_of(request), agent)
        if agent.by_token and not tokens_too:
            raise NotAllowed(
                "A short-lived token asks, and reads or withdraws a request whose id it knows. Do this on your server, "
                "with the API key"
            )
        if scope is not None and scope not in agent.scopes:
            raise NotAllowed(
                f"This API key lacks the scope {scope.value}. Whoever runs the service makes one that has it: "
                f"hitl-mcp keys create NAME --scope {scope.value}"
            )
        given = unquote(request.headers.get(CLIENT_NAME, ""), errors="replace")
        name = "".join(c for c in given if c.isprintable())[:MAX_CLIENT_NAME]
        return dataclasses.replace(agent, client=name) if name else agent

    return caller


async def _reviewer(request: Request, _: _ShownSession) -> Person:
    services, token = await services_of(request), _bearer(request)
    holder = await services.store.read(lambda tx: sessions.holder(tx, token, services.keys.assurance))
    if holder is None:
        if await _is_a_key(request, token):
            raise NotAllowed("An API key cannot answer. A person answers in the inbox or with `hitl-mcp respond`")
        raise NotAuthorised("This session is not known or has ended")
    return holder.person


async def _console(request: Request, _: _ShownConsole) -> Console:
    services, key = await services_of(request), _bearer(request)
    if not _same(key, services.keys.console):
        if await _is_a_key(request, key):
            raise NotAllowed("An API key cannot do this")
        raise NotAuthorised("Invalid console key")
    return Console()


async def _is_a_key(request: Request, token: str) -> bool:
    known: KnownKeys = request.app.state.known_keys
    try:
        await known.agent(token)
    except (NotAuthorised, NotAllowed):
        return False
    return True


ServicesHere = Annotated[Services, Depends(services_of)]
AgentCaller = Annotated[Agent, Depends(_agent_with(None))]
LoopReader = Annotated[Agent, Depends(_agent_with(Scope.LOOPS_READ))]
LoopWriter = Annotated[Agent, Depends(_agent_with(Scope.LOOPS_WRITE))]
MemberWriter = Annotated[Agent, Depends(_agent_with(Scope.MEMBERS_WRITE))]
RequestReader = Annotated[Agent, Depends(_agent_with(Scope.REQUESTS_READ))]
MetricsReader = Annotated[Agent, Depends(_agent_with(Scope.METRICS_READ))]
Asker = Annotated[Agent, Depends(_agent_with(Scope.REQUESTS_WRITE))]
KeyOrToken = Annotated[Agent, Depends(_agent_with(None, tokens_too=True))]
PageReader = Annotated[Agent, Depends(_agent_with(Scope.REQUESTS_READ, tokens_too=True))]
PageAsker = Annotated[Agent, Depends(_agent_with(Scope.REQUESTS_WRITE, tokens_too=True))]
"""Open to a web page with a short-lived token as well."""
WebhookWriter = Annotated[Agent, Depends(_agent_with(Scope.WEBHOOKS_WRITE))]
ReviewerCaller = Annotated[Person, Depends(_reviewer)]
ConsoleCaller = Annotated[Console, Depends(_console)]
