"""What the tests of the local service share: terminal commands, raw stdio servers, kills, and the database at rest."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.abc
import anyio.to_thread
import psutil
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent

import hitl_mcp
from hitl_mcp.contract import routes
from hitl_mcp.launcher import LocalService, end
from hitl_mcp.sdk.local import Found, ask
from tests.world import WAIT, World, environment, eventually, running_service, settings_for, sign_in, world

PYTHON = sys.executable


@dataclass(frozen=True)
class Said:
    """What a terminal command wrote, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one sentence on stderr, without click's mark."""
        return self.err.strip().removeprefix("Error: ")


async def terminal(folder: Path, *arguments: str, **more: str) -> Said:
    """Run `hitl-mcp` in a process of its own."""
    with anyio.fail_after(2 * WAIT):
        done = await anyio.run_process(
            [PYTHON, "-m", "hitl_mcp", *arguments], env=environment(folder, **more), check=False
        )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


def text_of(result: CallToolResult) -> str:
    """The words of a tool's result."""
    return " ".join(part.text for part in result.content if isinstance(part, TextContent))


def fields_of(result: CallToolResult) -> dict[str, Any]:
    """The structured part of a result that is no error."""
    assert not result.is_error, text_of(result)
    return cast("dict[str, Any]", result.structured_content)


@asynccontextmanager
async def stdio_in(cwd: Path, folder: Path, *flags: str, **more: str) -> AsyncGenerator[Client]:
    """A client of a stdio server that was started in a folder of the test's choice."""
    arguments = [*flags, "-m", "hitl_mcp"]
    server = StdioServerParameters(command=PYTHON, args=arguments, env=environment(folder, **more), cwd=str(cwd))
    async with Client(server) as client:
        yield client


async def ask_approval(client: Client, action: str, *, wait_seconds: float = 0) -> dict[str, Any]:
    """One approval call of an agent; its structured result."""
    arguments = {"action": action, "wait_seconds": wait_seconds}
    with anyio.fail_after(2 * WAIT):
        return fields_of(await client.call_tool("request_human_approval", arguments))


async def check(client: Client, request_id: str, *, wait_seconds: float = 0) -> dict[str, Any]:
    """One check_request call; its structured result."""
    arguments = {"request_id": request_id, "wait_seconds": wait_seconds}
    with anyio.fail_after(2 * WAIT):
        return fields_of(await client.call_tool("check_request", arguments))


@asynccontextmanager
async def world_of(folder: Path) -> AsyncGenerator[World]:
    """The background service that runs in this folder, with an agent that starts nothing and a reviewer."""
    from hitl_mcp.sdk.aio import AsyncHITLClient

    found = await running_service(folder)

    class Here:
        async def endpoint(self, failed: object = None) -> Any:
            assert failed is None, "the service went away"
            return found.endpoint()

    async with AsyncHITLClient.at(Here()) as agent:
        loops = await agent.list_loops()
        yield World(folder, found, agent, await sign_in(found), loops[0].id)


async def events_of(world: World, request_id: str) -> list[str]:
    """The kinds of the request's log entries, oldest first."""
    data = await world.raw("GET", routes.REQUEST_EVENTS.format(request_id=request_id))
    return [entry["type"] for entry in data["events"]]


async def open_texts(folder: Path) -> dict[str, str]:
    """What waits for a person right now: text to id, as a person signed in at the terminal sees it."""
    reviewer = await sign_in(await running_service(folder))
    data = await ask(reviewer.session, "GET", f"{routes.REVIEWS}?limit=200")
    return {item["request_text"]: item["id"] for item in data["requests"]}


def is_alive(pid: int) -> bool:
    """Whether the process runs; a dead one that nobody has collected yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def gone(pid: int) -> None:
    """Wait until the process has ended."""

    async def look() -> bool:
        return not is_alive(pid)

    await eventually(look)


async def kill_service(folder: Path) -> int:
    """kill -9 of the folder's service; returns its process id once it is dead."""
    pid = (await running_service(folder)).state.pid
    psutil.Process(pid).send_signal(signal.SIGKILL)
    await gone(pid)
    return pid


async def start_service(folder: Path) -> Found:
    """The folder's background service, started as a client starts it."""
    return await LocalService(settings_for(folder)).found_or_started()


async def stop_service(folder: Path) -> None:
    """End the folder's service in order, and wait until its process is gone."""
    found = await running_service(folder)
    assert await end(found)
    await gone(found.state.pid)


async def used(folder: Path, text: str = "Keep me") -> str:
    """A data folder with one open request and no service; the request's id."""
    async with world(folder) as here:
        return (await here.ask_approval(text)).request_id


async def start_by_hand(folder: Path, **more: str) -> dict[str, Any]:
    """Start `python -m hitl_mcp service` as a client would; its first line."""
    await anyio.to_thread.run_sync(lambda: folder.mkdir(mode=0o700, parents=True, exist_ok=True))
    with anyio.fail_after(2 * WAIT):
        done = await anyio.run_process(
            [PYTHON, "-m", "hitl_mcp", "service"], env=environment(folder, **more), cwd=folder, check=False
        )
    return cast("dict[str, Any]", json.loads(done.stdout))


def other_version(into: Path, *, version: str, contract: int | None = None) -> str:
    """A copy of the package that says another version; the value of PYTHONPATH that uses it."""
    package = into / "hitl_mcp"
    shutil.copytree(Path(hitl_mcp.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    _replace(package / "__init__.py", f'"{hitl_mcp.__version__}"', f'"{version}"')
    if contract is not None:
        _replace(package / "contract" / "local.py", "CONTRACT_VERSION = 1", f"CONTRACT_VERSION = {contract}")
    return str(into)


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old} is not in {file} once"
    file.write_text(text.replace(old, new), encoding="utf-8")


@contextmanager
def database(folder: Path) -> Generator[sqlite3.Connection]:
    """The database file, while no service runs; committed at the end."""
    with closing(sqlite3.connect(folder / "hitl.db", timeout=1)) as connection, connection:
        connection.row_factory = sqlite3.Row
        yield connection


def set_deadline(folder: Path, request_ids: list[str], *, seconds_from_now: float) -> None:
    """Move deadlines, while no service runs; the tools allow none below a minute."""
    due = int((time.time() + seconds_from_now) * 1000)
    with database(folder) as connection:
        for request_id in request_ids:
            connection.execute("UPDATE requests SET timeout_at = ? WHERE id = ?", (due, request_id))


@dataclass
class RawServer:
    """A stdio server as its host sees it: a process, lines in, lines out."""

    process: anyio.abc.Process
    lines: list[bytes] = field(default_factory=list[bytes])
    _next_id: int = 0
    _reader: BufferedByteReceiveStream | None = None

    async def send(self, method: str, params: dict[str, Any], *, notification: bool = False) -> int:
        """Write one message; returns its id."""
        self._next_id += 1
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if not notification:
            message["id"] = self._next_id
        assert self.process.stdin is not None
        await self.process.stdin.send(json.dumps(message).encode() + b"\n")
        return self._next_id

    async def answer(self, message_id: int) -> dict[str, Any]:
        """Read until the response with this id comes."""
        assert self.process.stdout is not None
        self._reader = self._reader or BufferedByteReceiveStream(self.process.stdout)
        with anyio.fail_after(WAIT):
            while True:
                line = await self._reader.receive_until(b"\n", 4_000_000)
                self.lines.append(line)
                message = cast("dict[str, Any]", json.loads(line))
                if message.get("id") == message_id and "method" not in message:
                    return message

    async def initialize(self) -> None:
        """The first words of a session."""
        params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
        await self.answer(await self.send("initialize", params))
        await self.send("notifications/initialized", {}, notification=True)

    async def call(self, tool: str, arguments: dict[str, Any]) -> int:
        """Call a tool; returns the call's id without waiting."""
        return await self.send("tools/call", {"name": tool, "arguments": arguments})

    async def hang_up(self) -> None:
        """EOF on its stdin."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()

    async def rest(self) -> bytes:
        """Everything that is still written until it ends."""
        assert self.process.stdout is not None
        reader = self._reader or BufferedByteReceiveStream(self.process.stdout)
        collected = b""
        with anyio.fail_after(WAIT):
            async for chunk in reader:
                collected += chunk
        return collected

    async def ended(self) -> int:
        """Its exit code."""
        with anyio.fail_after(WAIT):
            return await self.process.wait()


@asynccontextmanager
async def raw_server(folder: Path, **more: str) -> AsyncGenerator[RawServer]:
    """A stdio server without a client library in between; killed at the end if it still runs."""
    process = await anyio.open_process([PYTHON, "-m", "hitl_mcp"], env=environment(folder, **more), stderr=None)
    async with until_the_end(process) as server:
        yield server


@asynccontextmanager
async def until_the_end(process: anyio.abc.Process) -> AsyncGenerator[RawServer]:
    """A stdio server, killed at the end of the block if it still runs."""
    try:
        yield RawServer(process)
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.wait()
            await process.aclose()
