"""Two systems with blocked tool calls, ours and the floor, driven alike: a real MCP stdio client on one side, a
reviewer's keep-alive connection on the other.
"""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import psutil
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.types import CallToolResult

from benchmarks import parts
from benchmarks.service import OurService, our_service
from benchmarks.wire import Connection, call_bytes
from hitl_mcp.contract import routes

SETTLE_SECONDS = 0.05
HOLD_SECONDS = 150.0
BURST = 50


class Agent(ABC):
    """One MCP client with any number of blocked calls.

    Attributes:
        pids: the stdio server's and the service's process.
        progress: ask for progress notifications, as some hosts do.
    """

    tool = ""
    arguments: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, client: Client, tasks: anyio.abc.TaskGroup, reviewer: Connection, port: int) -> None:
        self._client = client
        self._tasks = tasks
        self._reviewer = reviewer
        self._port = port
        self._arrived: dict[str, tuple[float, CallToolResult]] = {}
        self._news = anyio.Event()
        self._made = 0
        self.pids: list[int] = []
        self.progress = False

    async def hold(self, waiting: int) -> float:
        """Block calls until `waiting` are open, no more than 50 on their way at once; how many became open a second."""
        before = now = await self.open()
        started, begun = time.perf_counter(), before
        with anyio.fail_after(HOLD_SECONDS):
            while now < waiting:
                for _ in range(min(waiting, now + BURST) - begun):
                    self._start()
                    begun += 1
                await anyio.sleep(0.01)
                now = await self.open()
        return (waiting - before) / (time.perf_counter() - started)

    async def decide_one(self) -> float:
        """One more call; seconds from sending its decision until its result is here."""
        action = self._start()
        with anyio.fail_after(30):
            while (name := await self.name_of(action)) is None:
                await anyio.sleep(0.005)
            await anyio.sleep(SETTLE_SECONDS)
            raw = self.decision(name)
            started = time.perf_counter()
            reply = await self._reviewer.call(raw)
            while action not in self._arrived:
                await self._news.wait()
        arrived, result = self._arrived.pop(action)
        if reply.status >= 400 or result.is_error or not self.approved(result):
            raise RuntimeError(f"not approved: {reply} {result}")
        await anyio.sleep(SETTLE_SECONDS)  # what is recorded afterwards must not disturb the next
        return arrived - started

    async def quiet(self) -> None:
        """Wait until both processes idle."""
        found = [psutil.Process(pid) for pid in self.pids]
        for _ in range(60):
            before = sum(sum(one.cpu_times()[:2]) for one in found)
            await anyio.sleep(1)
            if sum(sum(one.cpu_times()[:2]) for one in found) - before < 0.06:
                return

    def _start(self) -> str:
        self._made += 1
        action = f"deploy-{self._made:05d}-to-production"
        self._tasks.start_soon(self._call, action)
        return action

    async def _call(self, action: str) -> None:
        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            return

        result = await self._client.call_tool(
            self.tool, {"action": action, **self.arguments}, progress_callback=on_progress if self.progress else None
        )
        self._arrived[action] = (time.perf_counter(), result)
        news, self._news = self._news, anyio.Event()
        news.set()

    @abstractmethod
    async def open(self) -> int:
        """How many calls wait."""

    @abstractmethod
    async def name_of(self, action: str) -> str | None:
        """The request of an action, once it has arrived."""

    @abstractmethod
    def decision(self, name: str) -> bytes:
        """The reviewer's call that approves."""

    @abstractmethod
    def approved(self, result: CallToolResult) -> bool:
        """Whether the agent was told so."""


class OurAgent(Agent):
    """`python -m hitl_mcp` and its local service."""

    tool = "request_human_approval"
    arguments = {"wait_seconds": 3600}  # noqa: RUF012
    service: OurService
    person: dict[str, str]

    async def open(self) -> int:
        """See `Agent`."""
        return await self.service.open_requests()

    async def name_of(self, action: str) -> str | None:
        """See `Agent`."""
        raw = call_bytes("GET", f"{routes.REQUESTS}?limit=1", self._port, headers=self.service.agent_headers())
        newest = (await self._reviewer.call(raw)).data()["requests"]
        return str(newest[0]["id"]) if newest and newest[0]["request_text"] == action else None

    def decision(self, name: str) -> bytes:
        """See `Agent`."""
        path = routes.REQUEST_RESPOND.format(request_id=name)
        return call_bytes("POST", path, self._port, {"response_data": "approve", "revision": 1}, self.person)

    def approved(self, result: CallToolResult) -> bool:
        """See `Agent`."""
        return bool(result.structured_content and result.structured_content["approved"])


class FloorAgent(Agent):
    """`floors/waiting_agent.py` and `floors/waiting_service.py`."""

    tool = "ask"

    async def open(self) -> int:
        """See `Agent`."""
        return int((await self._reviewer.call(call_bytes("GET", "/open", self._port))).data()["open"])

    async def name_of(self, action: str) -> str | None:
        """See `Agent`."""
        reply = await self._reviewer.call(call_bytes("GET", f"/requests/{action}", self._port))
        return action if reply.data()["known"] else None

    def decision(self, name: str) -> bytes:
        """See `Agent`."""
        return call_bytes("POST", f"/requests/{name}/decide", self._port, {"answer": "approve"})

    def approved(self, result: CallToolResult) -> bool:
        """See `Agent`."""
        return bool(result.structured_content and result.structured_content["result"] == "approve")


@asynccontextmanager
async def our_agent() -> AsyncGenerator[OurAgent]:
    """Ours, with its service already started."""
    async with our_service() as service:
        env = parts.our_environment(service.settings.data_dir)
        command = ["-m", "hitl_mcp"]
        async with _client(command, service.settings.data_dir.parent, env) as (client, tasks, pid):
            agent = OurAgent(client, tasks, await Connection.opened(service.port), service.port)
            agent.service, agent.person = service, await service.reviewer_headers()
            agent.pids = [pid, service.pid]
            yield agent


@asynccontextmanager
async def floor_agent() -> AsyncGenerator[FloorAgent]:
    """The floor."""
    with (
        parts.temporary_folder() as here,
        parts.process([parts.FLOORS / "waiting_service.py", here / "floor.db"], cwd=here) as service,
    ):
        port = int(parts.read_line(service))
        command = [str(parts.FLOORS / "waiting_agent.py"), str(port)]
        async with _client(command, here, parts.environment()) as (client, tasks, pid):
            agent = FloorAgent(client, tasks, await Connection.opened(port), port)
            agent.pids = [pid, service.pid]
            yield agent


@asynccontextmanager
async def _client(
    command: Sequence[str], cwd: Path, env: dict[str, str]
) -> AsyncGenerator[tuple[Client, anyio.abc.TaskGroup, int]]:
    """An MCP client over stdio, a task group for its calls, and the process it started."""
    before = {child.pid for child in psutil.Process().children()}
    parameters = StdioServerParameters(command=sys.executable, args=list(command), env=env, cwd=cwd)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(parameters))
        pid = next(child.pid for child in psutil.Process().children() if child.pid not in before)
        async with anyio.create_task_group() as tasks:
            yield client, tasks, pid
            tasks.cancel_scope.cancel()
