"""What only a local service has: who it is, its state, signing in from the terminal, and its end."""

from __future__ import annotations

import os
import sqlite3

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, StrictBool

from hitl_mcp import __version__
from hitl_mcp.contract import routes
from hitl_mcp.contract.local import CONTRACT_VERSION, ServiceStatus
from hitl_mcp.contract.states import Channel
from hitl_mcp.contract.teams import Email
from hitl_mcp.contract.text import Text
from hitl_mcp.service import people, rows, sessions, sign_in
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.web.auth import ConsoleCaller, ReviewerCaller, ServicesHere
from hitl_mcp.service.web.envelope import reply

router = APIRouter(tags=["local"])


class NewSignIn(BaseModel):
    """`typed`: a short code for a person to type, else one for a form. `email`: for whom, else the service's owner."""

    model_config = ConfigDict(extra="forbid")

    typed: StrictBool = False
    email: Email | None = None


class NewSession(BaseModel):
    """A one-time code, exchanged for a short terminal session."""

    model_config = ConfigDict(extra="forbid")

    code: Text


class OpenInbox(BaseModel):
    """Which request to show first."""

    model_config = ConfigDict(extra="forbid")

    request_id: Text | None = None


@router.get(routes.HELLO)
async def hello(services: ServicesHere) -> Response:
    """Who answers here. The proof of it is in the answer's header (H14)."""
    data = {"version": __version__, "contract": CONTRACT_VERSION, "instance": services.keys.instance}
    return reply("hitl-mcp local service", data)


@router.get(routes.STATUS)
async def status(console: ConsoleCaller, services: ServicesHere) -> Response:
    """What `hitl-mcp status` shows."""
    state = ServiceStatus(
        pid=os.getpid(),
        port=services.keys.port,
        version=__version__,
        contract=CONTRACT_VERSION,
        sqlite_version=sqlite3.sqlite_version,
        inbox=services.keys.public_address,
        open_requests=await services.store.read(rows.open_count),
        agents=services.presence.agents,
        pages=services.presence.pages,
        uptime_seconds=(services.clock() - services.started_at) / 1000,
        warnings=services.warnings,
        hosted_by=services.hosted_by,
    )
    return reply("The service is running", state)


@router.post(routes.STOP)
async def stop(console: ConsoleCaller, services: ServicesHere) -> Response:
    """Finish what is being written and end."""
    services.stop()
    return reply("The service is ending", {})


@router.post(routes.SIGN_INS, status_code=201)
async def create_sign_in(wanted: NewSignIn, console: ConsoleCaller, services: ServicesHere) -> Response:
    """A one-time code for the service's owner or a person of a loop, good for 60 seconds (H15)."""

    def make(tx: Tx) -> str:
        user_id = services.account.user_id if wanted.email is None else people.with_address(tx, wanted.email)
        return sign_in.new_code(tx, user_id, typed=wanted.typed)

    code = await services.store.write(make)
    data = {"code": code, "address": f"{services.keys.inbox_origin}/sign-in", "expires_in": sign_in.CODE_MS // 1000}
    return reply("Sign-in created", data, status=201)


@router.post(routes.OPEN_INBOX)
async def open_inbox(wanted: OpenInbox, console: ConsoleCaller, services: ServicesHere) -> Response:
    """Open the inbox in the machine user's browser, signed in."""
    return reply("Asked the browser", {"opened": await services.open_inbox(wanted.request_id)})


@router.post(routes.SESSIONS, status_code=201)
async def create_session(wanted: NewSession, console: ConsoleCaller, services: ServicesHere) -> Response:
    """Use up a one-time code for a terminal session of ten minutes."""
    token = await services.store.write(lambda tx: sign_in.by_code(tx, wanted.code, Channel.TERMINAL))
    return reply("Signed in", {"token": token}, status=201)


@router.delete(routes.SESSIONS)
async def end_session(person: ReviewerCaller, services: ServicesHere) -> Response:
    """Sign every session of the terminal out."""
    await services.store.write(lambda tx: sessions.end_terminals(tx, person.user_id))
    return reply("Signed out", {})
