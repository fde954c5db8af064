"""The world the tests live in: real services, real clients, real people, in throwaway folders.

Nothing here stands in for our own code. A service is either the background process that clients start, or the same
service in the test's own event loop, where a test can bring its own clock and wake-ups.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio
from mcp import Client, StdioServerParameters

from hitl_mcp.backends import open_backend
from hitl_mcp.contract import routes
from hitl_mcp.contract.models import Created, NewRequest, ReviewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.launcher import end
from hitl_mcp.sdk.aio import AsyncHITLClient
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.local import Found, ask, find
from hitl_mcp.service.broker import Broker
from hitl_mcp.service.clock import Clock, wall_clock
from hitl_mcp.service.run import running
from hitl_mcp.settings import Settings

WAIT = 15.0
"""Every wait of every test is bounded by this many seconds."""


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a child process: the test's folder, no browser, no notifications, no secret from here."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SYSTEMROOT") if name in os.environ}
    ours = {"HITL_DATA_DIR": str(folder), "HITL_OPEN_BROWSER": "false", "HITL_NOTIFY": "false"}
    return kept | ours | more


def settings_for(folder: Path, **more: Any) -> Settings:
    """Settings of a service in the test's own process."""
    return Settings(data_dir=folder, open_browser=False, notify=False, **more)


def but_for_channels(notes: list[str]) -> list[str]:
    """What an agent is told about a request, but for this: that nobody in these tests has a channel to be told over."""
    return [note for note in notes if not note.startswith("Nobody was notified: no reviewer of this loop has a")]


@dataclass
class SimulatedClock:
    """A wall clock that a test moves. Starts at a fixed point, or at the real time."""

    now: int = field(default_factory=wall_clock)

    def __call__(self) -> int:
        """Milliseconds since 1970."""
        return self.now

    def move(self, seconds: float) -> None:
        """Forward, or back."""
        self.now += int(seconds * 1000)


@dataclass
class Reviewer:
    """A signed-in person at the terminal's API."""

    session: Endpoint

    async def answer(self, request_id: str, value: Any, *, revision: int = 1, comment: str = "") -> ReviewRequest:
        """Decide one request."""
        body = {"response_data": value, "revision": revision, "comment": comment}
        data = await ask(self.session, "POST", routes.REQUEST_RESPOND.format(request_id=request_id), body)
        return ReviewRequest.model_validate(data["request"])

    async def do(self, route: str, request_id: str) -> ReviewRequest:
        """Claim or release."""
        data = await ask(self.session, "POST", route.format(request_id=request_id), {})
        return ReviewRequest.model_validate(data["request"])

    async def open_requests(self) -> list[ReviewRequest]:
        """What waits."""
        data = await ask(self.session, "GET", routes.REVIEWS)
        return [ReviewRequest.model_validate(item) for item in data["requests"]]


async def sign_in(found: Found) -> Reviewer:
    """The machine's user, signed in at the terminal."""
    code = (await ask(found.console(), "POST", routes.SIGN_INS, {}))["code"]
    token = (await ask(found.console(), "POST", routes.SESSIONS, {"code": code}))["token"]
    return Reviewer(found.session(token))


async def running_service(folder: Path) -> Found:
    """The folder's service, once it answers."""
    with anyio.fail_after(WAIT):
        while (found := await find(folder)) is None:
            await anyio.sleep(0.02)
    return found


@dataclass
class World:
    """One service with an agent's client and a reviewer."""

    folder: Path
    found: Found
    agent: AsyncHITLClient
    reviewer: Reviewer
    loop_id: str

    async def ask_approval(self, text: str = "May I?", *, once_key: str | None = None, **more: Any) -> Created:
        """An approval request of the agent."""
        new = NewRequest(kind=Kind.APPROVAL, request_text=text, **more)
        return await self.agent.create_request(self.loop_id, new, idempotency_key=once_key)

    async def raw(self, method: str, path: str, body: Any = None, *, key: Endpoint | None = None) -> dict[str, Any]:
        """One call with the agent's key, or another; returns the envelope's data or raises what the wire says."""
        return await ask(key or self.found.endpoint(), method, path, body)


@asynccontextmanager
async def world(
    folder: Path, *, clock: Clock = wall_clock, broker: Broker | None = None, **settings: Any
) -> AsyncGenerator[World]:
    """A service in this event loop, reached over real sockets."""
    chosen = settings_for(folder, **settings)
    async with running(chosen, hosted_by="test", clock=clock, broker=broker), open_backend(chosen) as agent:
        found = await running_service(folder)
        loops = await agent.list_loops()
        yield World(folder, found, agent, await sign_in(found), loops[0].id)


Era = Literal["auto", "legacy"]


@asynccontextmanager
async def stdio_client(folder: Path, era: Era = "auto", /, **more: str) -> AsyncGenerator[Client]:
    """A real MCP client of our real stdio server."""
    server = StdioServerParameters(command=sys.executable, args=["-m", "hitl_mcp"], env=environment(folder, **more))
    async with Client(server, mode=era) as client:
        yield client


async def settled() -> None:
    """A moment in which everything waits, where there is one: a running service is never quiet for long."""
    with anyio.move_on_after(1.0):
        await anyio.wait_all_tasks_blocked()


async def eventually(look: Callable[[], Awaitable[Any]]) -> Any:
    """The first true value of `look`, within the bound of every wait."""
    with anyio.fail_after(WAIT):
        while not (value := await look()):
            await anyio.sleep(0.02)
    return value


async def end_service(folder: Path) -> None:
    """End the folder's background service, if one runs."""
    found = await find(folder)
    if found is not None:
        await end(found)
