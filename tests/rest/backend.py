"""A running service of each kind, and plain HTTP callers of it that judge nothing."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx2
from anyio.from_thread import BlockingPortal, start_blocking_portal
from pydantic import SecretStr

from hitl_mcp.contract import routes
from hitl_mcp.contract.states import Channel
from hitl_mcp.contract.teams import Scope
from hitl_mcp.service import members
from hitl_mcp.service.actors import Person
from hitl_mcp.service.context import Services
from hitl_mcp.service.run import SERVE, running
from hitl_mcp.service.store import Tx
from hitl_mcp.serving import mcp_over_http
from tests import postgres
from tests.world import WAIT, SimulatedClock, settings_for

Kind = Literal["local", "served on SQLite", "served on PostgreSQL"]
KINDS: tuple[Kind, ...] = ("local", "served on SQLite", "served on PostgreSQL")

START = 1_800_000_000_000 + 600_000
"""Ten minutes past a full hour, so that nothing here crosses an hour unless a test moves the clock."""
ALL = tuple(scope.value for scope in Scope)
QUESTION: dict[str, Any] = {
    "processing_type": "time-sensitive", "type": "markdown", "priority": "medium", "request_text": "Publish it?",
    "response_type": "single_select", "response_config": {"options": ["Approve", "Reject", "Needs Changes"]},
    "default_response": "Reject", "timeout_seconds": 3600, "platform": "api",
}  # fmt: skip
PUBLIC = "https://hitl.example.com"


@dataclass(frozen=True)
class Reply:
    """What came back on the wire."""

    status: int
    headers: httpx2.Headers
    body: Any

    @property
    def msg(self) -> str:
        """The envelope's text."""
        return self.body["msg"]

    @property
    def data(self) -> Any:
        """The envelope's data."""
        return self.body["data"]

    @property
    def said(self) -> tuple[int, str]:
        """Status and text together."""
        return self.status, self.body["msg"]

    @property
    def refusal(self) -> tuple[int, str, Any]:
        """Status, text and data of a refusal."""
        assert self.body["error"] is True, self.body
        return self.status, self.body["msg"], self.body.get("data")


@dataclass(frozen=True)
class Caller:
    """Somebody with a credential, or without one."""

    http: httpx2.Client
    key: str | None
    key_id: str = ""
    user_id: str = ""

    def send(
        self, method: str, path: str, body: Any = None, *, content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:  # fmt: skip
        """One call.

        Args:
            content: bytes that are sent as they are, instead of a body as JSON.
        """
        every = ({} if self.key is None else {"Authorization": f"Bearer {self.key}"}) | (headers or {})
        response = self.http.request(method, path, json=body, content=content, headers=every)
        return Reply(response.status_code, response.headers, response.json())

    def get(self, path: str, **query: Any) -> Reply:
        """Read."""
        return self.send("GET", str(httpx2.URL(path, params=query)) if query else path)

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """Create."""
        return self.send("POST", path, {} if body is None else body, headers=headers)

    def delete(self, path: str) -> Reply:
        """Take away."""
        return self.send("DELETE", path)

    def new_loop(self, name: str = "Content moderation") -> str:
        """A loop of its own; its id."""
        reply = self.post(routes.LOOPS, {"name": name, "icon": "shield-check"})
        assert reply.status == 201, reply.body
        return reply.data["loop"]["id"]

    def ask(self, loop: str, **fields: Any) -> Reply:
        """A whole question of the current generation, with some fields of its own; None leaves one out."""
        body = {name: value for name, value in (QUESTION | fields).items() if value is not None}
        return self.post(routes.LOOP_REQUESTS.format(loop_id=loop), body)

    def asked(self, loop: str, **fields: Any) -> str:
        """The same; the request's id."""
        reply = self.ask(loop, **fields)
        assert reply.status == 201, reply.body
        return reply.data["request_id"]

    def request(self, request_id: str) -> Reply:
        """One request as it stands."""
        return self.get(routes.REQUEST.format(request_id=request_id))


@dataclass(frozen=True)
class Backend:
    """One running service.

    Attributes:
        key: of the owner, with every scope.
        second: another key of the same person.
        other: a key of another person, with every scope.
        owner_id: the person behind `key`.
    """

    kind: Kind
    clock: SimulatedClock
    services: Services
    portal: BlockingPortal
    http: httpx2.Client
    console: Caller
    key: Caller
    second: Caller
    other: Caller

    @property
    def nobody(self) -> Caller:
        """A caller without a credential."""
        return Caller(self.http, None)

    def reviewer(self, email: str | None = None) -> Caller:
        """A signed-in person: the owner, or the one with this address."""
        wanted = {} if email is None else {"email": email}
        code = self.console.post(routes.SIGN_INS, wanted).data["code"]
        return Caller(self.http, self.console.post(routes.SESSIONS, {"code": code}).data["token"])

    def answer(self, request_id: str, value: Any, *, revision: int = 1, by: Caller | None = None) -> Reply:
        """A person's answer."""
        body = {"response_data": value, "revision": revision}
        return (by or self.reviewer()).post(routes.REQUEST_RESPOND.format(request_id=request_id), body)

    def claim(self, request_id: str) -> None:
        """The owner takes a request."""
        assert self.reviewer().post(routes.REQUEST_CLAIM.format(request_id=request_id)).status == 200

    def let_in(self, loop: str, user_id: str) -> None:
        """The owner confirms a newcomer: a page of the inbox, no operation of the API (H10)."""
        owner = Person(self.key.user_id, "owner", Channel.INBOX)

        def unit(tx: Tx) -> None:
            members.confirm(tx, owner, loop, user_id)

        self.portal.call(self.services.store.write, unit)

    def new_key(self, *scopes: str, email: str | None = None, loops: list[str] | None = None) -> Caller:
        """A fresh key; without scopes it has the default ones."""
        return made_key(self.console, *scopes, email=email, loops=loops)


def made_key(console: Caller, *scopes: str, email: str | None = None, loops: list[str] | None = None) -> Caller:
    """A key from the console's route."""
    body: dict[str, Any] = {"name": "A program", "email": email, "loop_ids": loops}
    reply = console.post(routes.KEYS, body | ({"scopes": list(scopes)} if scopes else {}))
    assert reply.status == 201, reply.body
    return Caller(console.http, reply.data["key"], reply.data["id"], reply.data["user_id"])


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@asynccontextmanager
async def served(kind: Kind, folder: Path, clock: SimulatedClock, more: dict[str, Any]) -> AsyncGenerator[Services]:
    """The service of this kind, as the product starts it."""
    more = {"idle_seconds": 1e9, "outgoing_allow": "127.0.0.1"} | more
    if kind == "local":
        async with running(settings_for(folder, **more), hosted_by="test", clock=clock) as services:
            yield services
    elif kind == "served on SQLite":
        chosen = settings_for(folder, port=free_port(), public_url=PUBLIC, **more)
        async with running(chosen, hosted_by=SERVE, clock=clock, mount=mcp_over_http(chosen)) as services:
            yield services
    else:
        async with postgres.database() as url:
            chosen = settings_for(folder, port=free_port(), database_url=SecretStr(url), **more)
            async with running(chosen, hosted_by=SERVE, clock=clock) as services:
                yield services


@contextmanager
def opened(kind: Kind, folder: Path, **settings: Any) -> Generator[Backend]:
    """A service in a thread of its own, with its people."""
    clock = SimulatedClock(START)
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        services = stack.enter_context(portal.wrap_async_context_manager(served(kind, folder, clock, settings)))
        host = {} if services.keys.public_url is None else {"Host": PUBLIC.removeprefix("https://")}
        address = f"http://127.0.0.1:{services.keys.port}"
        http = stack.enter_context(httpx2.Client(base_url=address, headers=host, timeout=WAIT, trust_env=False))
        console = Caller(http, services.keys.console)
        yield Backend(
            kind, clock, services, portal, http, console, made_key(console, *ALL), made_key(console, *ALL),
            made_key(console, *ALL, email="grace@example.com"),
        )  # fmt: skip
