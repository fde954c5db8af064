"""Receivers of webhooks, as real as they get: a socket on loopback that answers as a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

Headers = dict[str, str]


@dataclass(frozen=True)
class Received:
    """One call, as it came."""

    path: str
    headers: Headers
    raw: bytes
    at: float

    @property
    def body(self) -> dict[str, Any]:
        """The JSON."""
        return json.loads(self.raw)

    @property
    def event(self) -> str:
        """Its name."""
        return self.body["event"]


@dataclass
class Listener:
    """A receiver.

    Attributes:
        answer: status, headers and body for a call; None: no answer at all, for as long as the test runs.
        received: every call, in order.
    """

    port: int
    answer: Callable[[Received], tuple[int, Headers, bytes] | None] = lambda _: (200, {}, b"thanks")
    received: list[Received] = field(default_factory=list[Received])

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    def events(self) -> list[str]:
        """The events that came."""
        return [one.event for one in self.received]


@asynccontextmanager
async def listening() -> AsyncGenerator[Listener]:
    """A receiver for as long as the block runs."""
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            while (head := await reader.readline()).strip():
                headers: Headers = {}
                while (line := (await reader.readline()).strip()) != b"":
                    name, _, value = line.decode().partition(":")
                    headers[name.strip().lower()] = value.strip()
                raw = await reader.readexactly(int(headers.get("content-length", "0")))
                call = Received(head.decode().split()[1], headers, raw, anyio.current_time())
                here.received.append(call)
                said = here.answer(call)
                if said is None:
                    await asyncio.sleep(3600)
                    return
                status, more, content = said
                lines = "".join(f"{name}: {value}\r\n" for name, value in more.items())
                writer.write(f"HTTP/1.1 {status} X\r\n{lines}Content-Length: {len(content)}\r\n\r\n".encode() + content)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    here = Listener(server.sockets[0].getsockname()[1])
    try:
        yield here
    finally:
        server.close()
        for writer in writers:
            writer.close()
