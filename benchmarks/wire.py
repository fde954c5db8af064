"""A lean HTTP/1.1 client for measuring: one keep-alive connection, one call at a time, no more than httptools does."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, cast

import httptools


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def data(self) -> dict[str, Any]:
        """The JSON body, unwrapped from the envelope where there is one. Raises: RuntimeError on a refusal."""
        if self.status >= 400:
            raise RuntimeError(f"{self.status}: {self.body[:500]!r}")
        parsed: dict[str, Any] = json.loads(self.body)
        return cast("dict[str, Any]", parsed["data"]) if "error" in parsed else parsed


def call_bytes(method: str, path: str, port: int, body: Any = None, headers: dict[str, str] | None = None) -> bytes:
    """A whole HTTP call as it goes over the wire, to be made once and sent often."""
    payload = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Length: {len(payload)}"]
    if body is not None:
        lines.append("Content-Type: application/json")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + payload


class Connection(asyncio.Protocol):
    """One connection. Use `opened`."""

    def __init__(self) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self._body = bytearray()
        self._headers: dict[str, str] = {}
        self._waiting: asyncio.Future[Reply] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def opened(cls, port: int) -> Connection:
        """Connect to a port of this machine."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    async def call(self, raw: bytes) -> Reply:
        """Send one call and wait for its answer."""
        if self._transport is None:
            raise RuntimeError("not connected")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(raw)
        return await asyncio.wait_for(self._waiting, 60)

    def close(self) -> None:
        """Let go of the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """asyncio's."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's."""
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError("the connection was closed"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools'."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """httptools'."""
        self._body += body

    def on_message_complete(self) -> None:
        """httptools'."""
        reply = Reply(self._parser.get_status_code(), bytes(self._body), self._headers)
        self._body.clear()
        self._headers = {}
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(reply)
