"""Somebody else's program on this machine: a small web server on another loopback port, which notes what it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PAGE = "<!doctype html><title>Elsewhere</title><h1>Elsewhere</h1>"


@dataclass(frozen=True)
class Seen:
    """One request that came in."""

    method: str
    path: str
    headers: dict[str, str]

    @property
    def everything(self) -> str:
        """Its head as text."""
        return "\n".join([f"{self.method} {self.path}", *(f"{name}: {value}" for name, value in self.headers.items())])


@dataclass
class Attacker:
    """A server that serves the same page at every path but those in `pages`."""

    port: int
    pages: dict[str, str] = field(default_factory=dict[str, str])
    seen: list[Seen] = field(default_factory=list[Seen])

    def at(self, host: str, path: str = "/") -> str:
        """An address of the server. Browsers resolve every name under `localhost` to this machine."""
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one answer."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ")
            fields = dict(line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in fields.items()}
            await reader.readexactly(int(headers.get("content-length", "0")))
            self.seen.append(Seen(method, path, headers))
            body = self.pages.get(path, PAGE).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n"
                b"Access-Control-Allow-Origin: *\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # browsers open connections that they do not use
        finally:
            writer.close()


@asynccontextmanager
async def attacking(port: int = 0) -> AsyncGenerator[Attacker]:
    """A running attacker.

    Args:
        port: 0 for a free one.
    """
    attacker = Attacker(port)
    server = await asyncio.start_server(attacker.serve, "127.0.0.1", port)
    try:
        attacker.port = server.sockets[0].getsockname()[1]
        yield attacker
    finally:
        server.close()
