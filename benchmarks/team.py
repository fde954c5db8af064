"""A team's server, `hitl-mcp serve`, in processes of its own: over a data folder, or several over one PostgreSQL."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import psutil

from benchmarks import parts
from benchmarks.wire import Connection, call_bytes
from hitl_mcp.console import console
from hitl_mcp.contract import routes
from hitl_mcp.contract.teams import DEFAULT_SCOPES
from hitl_mcp.sdk.local import ask
from hitl_mcp.settings import Settings

START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Served:
    """One process of the server."""

    pid: int
    port: int

    def cpu(self) -> float:
        """Seconds of CPU time used so far."""
        used = psutil.Process(self.pid).cpu_times()
        return used.user + used.system

    def rss(self) -> int:
        """Bytes of resident memory."""
        return int(psutil.Process(self.pid).memory_info().rss)

    async def quiet(self, seconds: float = 30.0) -> None:
        """Wait until it idles."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            before = self.cpu()
            await anyio.sleep(1)
            if self.cpu() - before < 0.06:
                return


@dataclass(frozen=True, slots=True)
class Team:
    """A server with an API key and a signed-in person.

    Attributes:
        processes: all on one database.
        key: of an agent that may ask and read.
        loop_id: where it asks.
        person: the credential of a member of that loop.
    """

    processes: list[Served]
    key: str = field(repr=False)
    loop_id: str
    person: dict[str, str] = field(repr=False)

    @property
    def agent(self) -> dict[str, str]:
        """The agent's credential."""
        return {"Authorization": f"Bearer {self.key}"}

    async def waiting(self, reviewer: Connection) -> list[str]:
        """The requests that wait for a person, at most 100 of them."""
        raw = call_bytes("GET", routes.REVIEWS, self.processes[0].port, headers=self.person)
        return [str(one["id"]) for one in (await reviewer.call(raw)).data()["requests"]]

    async def open_requests(self, agent: Connection) -> int:
        """How many requests wait for a person."""
        raw = call_bytes("GET", routes.LOOPS, self.processes[0].port, headers=self.agent)
        return int((await agent.call(raw)).data()["loops"][0]["pending_count"])

    def decision(self, request_id: str, port: int) -> bytes:
        """The person's call that approves."""
        path = routes.REQUEST_RESPOND.format(request_id=request_id)
        return call_bytes("POST", path, port, {"response_data": "approve", "revision": 1}, self.person)


@asynccontextmanager
async def served(
    *, processes: int = 1, database_url: str | None = None, root: Path = parts.ROOT
) -> AsyncGenerator[Team]:
    """Start the server; it ends with the block.

    Args:
        database_url: a PostgreSQL; a new data folder without.
        root: another checkout of the project to measure.
    """
    async with AsyncExitStack() as stack:
        here = stack.enter_context(parts.temporary_folder())
        data = here / "data"
        said = stack.enter_context((here / "said.txt").open("wb"))
        more = {"HITL_LOG_LEVEL": "WARNING", "PYTHONPATH": str(root)}
        if database_url is not None:
            more["HITL_DATABASE_URL"] = database_url
        started: list[Served] = []
        for _ in range(processes):
            port = free_port()
            env = parts.our_environment(data) | more | {"HITL_PORT": str(port)}
            child = stack.enter_context(
                parts.process(["-m", "hitl_mcp", "serve"], cwd=here, env=env, stderr=said.fileno())
            )
            stack.callback(child.terminate)
            started.append(Served(child.pid, port))
            try:
                await _answers(port)
            except TimeoutError:
                raise RuntimeError((here / "said.txt").read_text()) from None
        settings = Settings(data_dir=data, open_browser=False, notify=False)
        if database_url is not None:
            settings = Settings.model_validate({**settings.model_dump(), "database_url": database_url})
        yield await _with_people(settings, started)


async def _with_people(settings: Settings, started: list[Served]) -> Team:
    async with console(settings) as terminal:
        key = {"name": "benchmark", "scopes": [scope.value for scope in DEFAULT_SCOPES]}
        made = await ask(terminal, "POST", routes.KEYS, key)
        code = (await ask(terminal, "POST", routes.SIGN_INS, {}))["code"]
        session: Mapping[str, Any] = await ask(terminal, "POST", routes.SESSIONS, {"code": code})
    agent = {"Authorization": f"Bearer {made['key']}"}
    connection = await Connection.opened(started[0].port)
    found = (await connection.call(call_bytes("GET", routes.LOOPS, started[0].port, headers=agent))).data()["loops"]
    connection.close()
    return Team(started, str(made["key"]), str(found[0]["id"]), {"Authorization": f"Bearer {session['token']}"})


def free_port() -> int:
    """A port nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answers(port: int) -> None:
    with anyio.fail_after(START_SECONDS):
        while True:
            try:
                connection = await Connection.opened(port)
                ready = (await connection.call(call_bytes("GET", routes.READY, port))).status == 200
                connection.close()
                if ready:
                    return
            except OSError:
                pass
            await anyio.sleep(0.05)
