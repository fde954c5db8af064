"""What the service's tests share: a service whose store is at hand, a second person, and calls byte by byte."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr
from sqlalchemy import insert

from hitl_mcp import __version__
from hitl_mcp.backends import open_backend
from hitl_mcp.contract import routes
from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.local import CONTRACT_VERSION, ServiceState
from hitl_mcp.contract.models import Created, NewRequest
from hitl_mcp.contract.teams import Scope
from hitl_mcp.errors import Refused
from hitl_mcp.sdk import AsyncHITLClient, http
from hitl_mcp.sdk.endpoint import Endpoint, Fixed
from hitl_mcp.sdk.local import Found, ask
from hitl_mcp.service import keys
from hitl_mcp.service import sign_in as sign_in_codes
from hitl_mcp.service.broker import Broker
from hitl_mcp.service.clock import Clock, wall_clock
from hitl_mcp.service.context import Services
from hitl_mcp.service.run import running
from hitl_mcp.service.store import Tx
from hitl_mcp.service.store.tables import members, users
from hitl_mcp.settings import Settings
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
    agent_id: str
    """Of the agent's key."""

    async def ask_again(self, new: NewRequest, once_key: str) -> Created:
        """The same question with an idempotency key."""
        return await self.agent.create_request(self.loop_id, new, idempotency_key=once_key)

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
            return sign_in_codes.new_code(tx, add_person(tx, self.loop_id, name))

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


@dataclass
class Place:
    """Where a service keeps its requests.

    Attributes:
        folder: of SQLite; on PostgreSQL it stays empty.
        url: of a PostgreSQL database.
        key: of the agent on PostgreSQL, from the first service that runs there; on SQLite each run has its own.
    """

    folder: Path
    url: str | None = None
    key: str = ""

    @property
    def settings(self) -> Settings:
        """Of a service here."""
        return settings_for(self.folder, database_url=None if self.url is None else SecretStr(self.url))


@dataclass(frozen=True, slots=True)
class Shared(Found):
    """A service on PostgreSQL, which has no data folder to be found by."""

    key: str = ""

    def endpoint(self) -> Endpoint:
        """With the agent's key."""
        return self._as(self.key)


def shared(services: Services, folder: Path, key: str = "") -> Shared:
    """What a data folder would tell about a service, of one that has none."""
    keys = services.keys
    state = ServiceState(
        pid=os.getpid(), port=keys.internal_port, instance=keys.instance, version=__version__,
        contract=CONTRACT_VERSION, started_at=time.time(), hosted_by=services.hosted_by,
    )  # fmt: skip
    return Shared(folder, state, keys.proof_secret, __version__, CONTRACT_VERSION, key)


@asynccontextmanager
async def _agent_at(place: Place, services: Services) -> AsyncGenerator[tuple[Found, AsyncHITLClient]]:
    """The service as it is found, and an agent's client."""
    if place.url is None:
        async with open_backend(place.settings) as agent:
            yield await running_service(place.folder), agent
        return
    if not place.key:
        wanted = {"name": "Test", "scopes": list(Scope)}
        made = await ask(shared(services, place.folder).console(), "POST", routes.KEYS, wanted)
        place.key = made["key"]
    found = shared(services, place.folder, place.key)
    async with AsyncHITLClient.at(Fixed(found.endpoint())) as agent:
        yield found, agent


@asynccontextmanager
async def stage(
    place: Place | Path, *, clock: Clock = wall_clock, broker: Broker | None = None, **more: Any
) -> AsyncGenerator[Stage]:
    """A service in this event loop, reached over real sockets; in a folder it stands on SQLite."""
    if isinstance(place, Path):
        place = Place(place)
    async with (
        running(place.settings.model_copy(update=more), hosted_by="test", clock=clock, broker=broker) as services,
        _agent_at(place, services) as (found, agent),
        http.new_client() as client,
    ):
        loop_id = (await agent.list_loops())[0].id
        known = await services.store.read(lambda tx: keys.find(tx, place.key))
        agent_id = services.account.api_key_id if known is None else known.agent.api_key_id
        reviewer = await sign_in(found)
        yield Stage(place.folder, found, agent, reviewer, loop_id, services, Wire(found, client), agent_id)
