"""Clients of `http_waiting` and `processes`, many in one process: `python -m benchmarks.holder`, orders as JSON lines.

Each held tool call has a connection of its own, as HTTP/1.1 needs it; the client does nothing but keep it and note when
its result came. All times are of the machine's monotonic clock, which its processes share.

Orders, one JSON array a line: `["begin", job]`, `["hold", count]` (answers once they are sent), `["results"]` (answers
`{"arrived": [[seconds, name], ...], "failed": [...], "progress": n}` and forgets them), `["end"]`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import httptools
import uvloop

from benchmarks import parts
from benchmarks.wire import Connection, call_bytes

MODERN, LEGACY = "2026-07-28", "2025-11-25"
CLIENT = {"name": "benchmark", "version": "1"}
ACCEPT = {"Accept": "application/json, text/event-stream"}
AT_ONCE = 100
"""Connections that are being opened; more would overrun the server's queue of new ones."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to hold.

    Attributes:
        legacy: of the generation with sessions; `own_session`: one for each call, else one for all.
        progress: ask for progress notifications, as some hosts do.
        path: where the tool is; `tool` and `arguments` are what is called.
    """

    port: int
    headers: dict[str, str]
    legacy: bool = False
    own_session: bool = False
    progress: bool = False
    path: str = "/mcp"
    tool: str = "request_human_approval"
    arguments: dict[str, Any] = field(default_factory=lambda: {"wait_seconds": 3600})


@dataclass
class Seen:
    """What came back."""

    arrived: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    failed: list[str] = field(default_factory=list[str])
    progress: int = 0


class Held(asyncio.Protocol):
    """One held call."""

    def __init__(self, seen: Seen, name: str, raw: bytes) -> None:
        self._seen = seen
        self._name = name
        self._raw = raw
        self._last = b""
        self._parser: Any = None
        self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._raw)
        self._raw = b""

    def data_received(self, data: bytes) -> None:
        """asyncio's."""
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """httptools'."""
        if b"notifications/progress" in body:
            self._seen.progress += 1
        elif not body.startswith(b":"):
            self._last += body

    def on_message_complete(self) -> None:
        """httptools'."""
        self._over = True
        if self._parser.get_status_code() == 200 and b'"isError":true' not in self._last and b'"result"' in self._last:
            self._seen.arrived.append((time.monotonic(), self._name))
        else:
            self._seen.failed.append(f"{self._parser.get_status_code()} {self._last[:300]!r}")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's."""
        if not self._over:
            self._seen.failed.append(f"connection lost: {exc}")


class Holder:
    """The calls of one process."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._made = 0
        self._session: str | None = None
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._calls: set[Held] = set()
        self.seen = Seen()

    async def hold(self, count: int) -> None:
        """Send so many calls."""
        if self._job.legacy and not self._job.own_session and self._session is None:
            self._session = await self._new_session()
        await asyncio.gather(*(self._one() for _ in range(count)))

    async def _one(self) -> None:
        self._made += 1
        number, name = self._made, f"deploy-{self._made:05d}"
        async with self._turns:
            session = await self._new_session() if self._job.own_session else self._session
            held = Held(self.seen, name, self._call(number, name, session))
            self._calls.add(held)
            await asyncio.get_running_loop().create_connection(lambda: held, "127.0.0.1", self._job.port)

    def _call(self, number: int, name: str, session: str | None) -> bytes:
        meta: dict[str, Any] = {"progressToken": number} if self._job.progress else {}
        headers = {**self._job.headers, **ACCEPT, "Mcp-Protocol-Version": LEGACY if self._job.legacy else MODERN}
        if self._job.legacy:
            headers |= {"Mcp-Session-Id": session} if session else {}
        else:
            headers |= {"Mcp-Method": "tools/call", "Mcp-Name": self._job.tool}
            prefix = "io.modelcontextprotocol"
            meta |= {f"{prefix}/protocolVersion": MODERN, f"{prefix}/clientInfo": CLIENT}
            meta |= {f"{prefix}/clientCapabilities": {}}
        params = {"name": self._job.tool, "arguments": {"action": name, **self._job.arguments}, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        return call_bytes("POST", self._job.path, self._job.port, body, headers)

    async def _new_session(self) -> str:
        connection = await Connection.opened(self._job.port)
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": CLIENT}
        body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        headers = {**self._job.headers, **ACCEPT}
        answer = await connection.call(call_bytes("POST", self._job.path, self._job.port, body, headers))
        session = answer.headers["mcp-session-id"]
        headers |= {"Mcp-Session-Id": session, "Mcp-Protocol-Version": LEGACY}
        told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await connection.call(call_bytes("POST", self._job.path, self._job.port, told, headers))
        connection.close()
        return session


async def _run() -> None:
    loop = asyncio.get_running_loop()
    holder: Holder | None = None
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order, *rest = json.loads(line)
        answer: Any = "done"
        if order == "begin":
            holder = Holder(Job(**rest[0]))
        elif holder is None or order == "end":
            return
        elif order == "hold":
            await holder.hold(rest[0])
        elif order == "results":
            answer, holder.seen.arrived, holder.seen.failed = asdict(holder.seen), [], []
            holder.seen.progress = 0
        print(json.dumps(answer), flush=True)


def begin(job: Job) -> str:
    """The line that begins a job."""
    return json.dumps(["begin", asdict(job)]) + "\n"


if __name__ == "__main__":
    parts.most_open_files()
    uvloop.run(_run())
