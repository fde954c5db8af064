"""Real `hitl-mcp serve` processes on one database, and a load balancer in front of them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.abc

from hitl_mcp.contract.routes import READY
from hitl_mcp.sdk import http
from tests.world import WAIT, environment, eventually


def free_port() -> int:
    """A port that nobody listens on right now.

    Below those that systems give to outgoing connections: one of those that are tried while a process is away could be
    given its very port, and would reach itself.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@dataclass
class Node:
    """One process, which can be ended and started again at its address.

    Attributes:
        database: where it finds its database.
        public: the address of the balancer.
    """

    port: int
    folder: Path
    database: str
    public: str
    process: anyio.abc.Process | None = None

    @property
    def url(self) -> str:
        """Its own address."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Until it says that it is ready."""
        given = environment(
            self.folder, HITL_DATABASE_URL=self.database, HITL_PUBLIC_URL=self.public, HITL_LOG_LEVEL="WARNING"
        )
        with (self.folder / f"{self.port}.log").open("ab") as log:
            process = await anyio.open_process(
                [sys.executable, "-m", "hitl_mcp", "serve", "--port", str(self.port)],
                env=given, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.process = process

        async def is_ready() -> bool:
            assert process.returncode is None, (self.folder / f"{self.port}.log").read_text()
            try:
                async with http.new_client() as client:
                    return (await client.get(self.url + READY)).status_code == 200
            except http.TransportError:
                return False

        await eventually(is_ready)

    async def end(self, how: signal.Signals) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(how)
        with anyio.fail_after(WAIT):
            return await process.wait()

    async def aclose(self) -> None:
        """Leave nothing behind."""
        if self.process is not None:
            with anyio.CancelScope(shield=True):
                await self.end(signal.SIGKILL)


@dataclass
class Balancer:
    """Sends each connection to the next process that takes it, as a balancer without any wits does."""

    targets: Sequence[int]
    url: str = ""
    _turns: itertools.count[int] = field(default_factory=itertools.count)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        first = next(self._turns)
        for offset in range(len(self.targets)):
            port = self.targets[(first + offset) % len(self.targets)]
            with contextlib.suppress(OSError):
                other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
                break
        else:
            writer.close()
            return
        ways = [
            asyncio.create_task(_pass(reader, other_writer)),
            asyncio.create_task(_pass(other_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, other_writer):
                end.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


@dataclass
class Nodes:
    """The processes, and the address by which most reach them."""

    every: list[Node]
    balancer: Balancer

    @property
    def urls(self) -> list[str]:
        """Every address that works while any process lives: the balancer's, and each process's own."""
        return [self.balancer.url, *(node.url for node in self.every)]


@asynccontextmanager
async def serving(folder: Path, databases: Sequence[str]) -> AsyncGenerator[Nodes]:
    """A process for each database address, all started at once."""
    folder.mkdir(exist_ok=True)
    balancer = Balancer([free_port() for _ in databases])
    listener = await asyncio.start_server(balancer.carry, "127.0.0.1", 0)
    balancer.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    pairs = zip(balancer.targets, databases, strict=True)
    nodes = Nodes([Node(port, folder, url, balancer.url) for port, url in pairs], balancer)
    async with AsyncExitStack() as stack:
        stack.callback(listener.close)
        for node in nodes.every:
            stack.push_async_callback(node.aclose)
        async with anyio.create_task_group() as tasks:
            for node in nodes.every:
                tasks.start_soon(node.start)
        yield nodes
