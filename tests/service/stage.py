"""What the service's tests share: a service whose store is at hand, a second person, and calls byte by byte."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sqlalchemy import insert

from hitl_mcp.backends import open_backend
from hitl_mcp.contract import routes
from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.models import Created, NewRequest
from hitl_mcp.errors import Refused
from hitl_mcp.launcher import Found, ask
from hitl_mcp.sdk import http
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.service import people
from hitl_mcp.service.broker import Broker
from hitl_mcp.service.clock import Clock, wall_clock
from hitl_mcp.service.context import Services
from hitl_mcp.service.run import running
from hitl_mcp.service.store import Tx
from hitl_mcp.service.store.tables import members, users
from tests.world import Reviewer, World, running_service, settings_for, sign_in


def add_person(tx: Tx, loop_id: str, name: str) -> str:
    """An active member of a loop, past the door that newcomers come through."""
    user_id = new_id()
    tx.connection.execute(insert(users), {"id": user_id, "name": name, "created_at": tx.now})
    row = {"loop_id": loop_id, "user_id": user_id, "status": "active", "joined_at": tx.now}
    tx.connection.execute(insert(members), row)
    return user_id


def details_of(error: Refused) -> dict[str, Any]:
    """The data of an envelope that says no."""
    known = cast("object", error.details)
    assert isinstance(known, dict), error
    return cast("dict[str, Any]", known)


@dataclass(frozen=True)
class Answer:
    """What came back on the wire."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def msg(self) -> str:
        """The envelope's text."""
        return self.body["msg"]

    @property
    def data(self) -> Any:
        """The envelope's data, if there is any."""
        return self.body.get("data")


class Wire:
    """Calls over one pool of connections that judge nothing: every status comes back as it is."""

    def __init__(self, found: Found, client: http.Client) -> None:
        self._found = found
        self._client = client

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: Any = None,
        headers: dict[str, str] | None = None,
        key: Endpoint | None = None,
    ) -> Answer:
        """One call with the agent's key, or another.

        Args:
            body: sent as JSON, with every character outside ASCII escaped.
            content: bytes or an iterator of them, sent as they are.
        """
        given = {"Authorization": f"Bearer {(key or self._found.endpoint()).key}"}
        if content is None and body is not None:
            content = json.dumps(body).encode()
        if content is not None:
            given["Content-Type"] = "application/json"
        response = await self._client.request(
            method, self._found.address + path, content=content, headers=given | (headers or {})
        )
        return Answer(response.status_code, dict(response.headers), response.json())


@dataclass
class Stage(World):
    """A `World` whose service is at hand."""

    services: Services
    wire: Wire

    async def ask_again(self, new: NewRequest, once_key: str) -> Created:
        """The same question with an idempotency key."""
        return await self.agent.create_request(self.loop_id, new, once_key=once_key)

    async def sign_in_again(self) -> None:
        """A terminal session lives for ten minutes, so a test that moves the clock further needs a new one."""
        self.reviewer = await sign_in(self.found)

    async def respond(self, request_id: str, value: Any, *, revision: int = 1, by: Reviewer | None = None) -> Answer:
        """An answer as it fares on the wire."""
        body = {"response_data": value, "revision": revision}
        path = routes.REQUEST_RESPOND.format(request_id=request_id)
        return await self.wire.send("POST", path, body, key=(by or self.reviewer).session)

    async def second_person(self, name: str = "Grace") -> Reviewer:
        """Another signed-in reviewer, let into the loop."""

        def unit(tx: Tx) -> str:
            return people.new_sign_in(tx, add_person(tx, self.loop_id, name))

        code = await self.services.store.write(unit)
        token = (await ask(self.found.console(), "POST", routes.SESSIONS, {"code": code}))["token"]
        return Reviewer(self.found.session(token))

    async def second_loop(self, name: str = "Other") -> str:
        """Another loop of the machine's user."""
        made = await self.wire.send("POST", routes.LOOPS, {"name": name, "icon": "bell"})
        return made.data["loop"]["id"]

    async def history(self, request_id: str) -> list[dict[str, Any]]:
        """The request's event log as the wire shows it."""
        data = await self.wire.send("GET", routes.REQUEST_EVENTS.format(request_id=request_id))
        return data.data["events"]


@asynccontextmanager
async def stage(folder: Path, *, clock: Clock = wall_clock, broker: Broker | None = None) -> AsyncGenerator[Stage]:
    """A service in this event loop, reached over real sockets."""
    chosen = settings_for(folder)
    async with (
        running(chosen, hosted_by="test", clock=clock, broker=broker) as services,
        open_backend(chosen) as agent,
        http.new_client() as client,
    ):
        found = await running_service(folder)
        loop_id = (await agent.list_loops())[0].id
        yield Stage(folder, found, agent, await sign_in(found), loop_id, services, Wire(found, client))
