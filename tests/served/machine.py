"""`hitl-mcp serve` as an operator runs it: a process of its own, with its commands beside it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2
from mcp import Client

from tests.mcp_http import over_http
from tests.served.team import free_port
from tests.world import WAIT, Era, environment


@dataclass
class Machine:
    """A machine with one server.

    Attributes:
        folder: its data folder; on PostgreSQL nothing may appear there.
        log: where its stderr goes.
    """

    folder: Path
    port: int
    log: Path
    more: dict[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Of the server and of the commands."""
        return environment(self.folder, **self.more)

    async def run(self, *arguments: str, code: int = 0) -> str:
        """A command of the operator; what it printed."""

        def work() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-m", "hitl_mcp", *arguments], env=self.environment, capture_output=True, text=True,
                timeout=60, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip

        done = await anyio.to_thread.run_sync(work)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    async def key(self, *options: str) -> str:
        """A new API key."""
        return (await self.run("keys", "create", "tests", *options)).split()[1]

    def client(self, key: str | None = None, **more: Any) -> httpx2.AsyncClient:
        """A program with a key."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=WAIT * 4, **more)

    @asynccontextmanager
    async def mcp(self, key: str, transport: str, era: Era = "auto") -> AsyncGenerator[Client]:
        """A real MCP client."""
        async with self.client(key) as http, over_http(http, transport, era) as client:
            yield client

    async def start(self) -> None:
        """Start the server and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hitl_mcp", "serve", "--port", str(self.port)], env=self.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        with anyio.fail_after(WAIT * 2):
            async with self.client() as http:
                while True:
                    assert self.process.poll() is None, self.log.read_text()
                    try:
                        if (await http.get("/ready")).status_code == 200:
                            return
                    except httpx2.TransportError:
                        pass
                    await anyio.sleep(0.05)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the server; its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        return await anyio.to_thread.run_sync(lambda: self.process.wait(WAIT * 2) if self.process else 0)


@asynccontextmanager
async def machine(folder: Path, **more: str) -> AsyncGenerator[Machine]:
    """A running server; ended afterwards."""
    here = Machine(folder, free_port(), folder.parent / "serve.log", more)
    try:
        await here.start()
        yield here
    finally:
        if here.process is not None and here.process.poll() is None:
            here.process.kill()
            here.process.wait(WAIT)
