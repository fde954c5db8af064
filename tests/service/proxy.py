"""A TCP proxy between a client and the service that a test can cut, hold, and let stammer (H21)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import SocketAttribute, SocketStream

from hitl_mcp.contract import routes
from hitl_mcp.sdk import AsyncHITLClient, Endpoint
from hitl_mcp.sdk.local import Found

_STREAM = f"GET {routes.EVENTS_STREAM}".encode()


@dataclass
class Proxy:
    """What happens to the event streams that pass; other calls pass as they are.

    Attributes:
        times: how often each event of a stream is handed on.
        silent: events of streams are held back while this is set.
        refusing: nobody is connected while this is set.
        streams: how many streams were opened so far.
    """

    port: int
    target: int
    times: int = 1
    silent: bool = False
    refusing: bool = False
    streams: int = 0
    _open: set[SocketStream] = field(default_factory=set[SocketStream])
    _changed: anyio.Event = field(default_factory=anyio.Event)

    def set(self, *, silent: bool) -> None:
        """Hold events of streams back, or let them go."""
        self.silent = silent
        self._changed.set()
        self._changed = anyio.Event()

    async def cut(self) -> None:
        """Break every connection that is open."""
        for stream in tuple(self._open):
            await anyio.aclose_forcefully(stream)

    async def endpoint(self, failed: Endpoint | None = None) -> Endpoint:
        """A `Resolver`: the service, as it is reached through here."""
        return self.way

    way: Endpoint = field(default_factory=lambda: Endpoint("", "", ""))

    async def carry(self, client: SocketStream) -> None:
        """Serve one connection."""
        if self.refusing:
            await anyio.aclose_forcefully(client)
            return
        with contextlib.suppress(OSError):
            async with client, await anyio.connect_tcp("127.0.0.1", self.target) as service:
                both = {client, service}
                self._open |= both
                try:
                    async with anyio.create_task_group() as tasks:
                        is_stream = anyio.Event()
                        tasks.start_soon(self._up, client, service, is_stream)
                        await self._down(service, client, is_stream)
                except* (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
                    pass
                finally:
                    self._open -= both

    async def _up(self, client: SocketStream, service: SocketStream, is_stream: anyio.Event) -> None:
        """To the service, which serves its own host only. Each receipt is one call: a client waits for its answer."""
        while True:
            data = await client.receive()
            if data.startswith(_STREAM):
                is_stream.set()
                self.streams += 1
            await service.send(data.replace(b"127.0.0.1:%d" % self.port, b"127.0.0.1:%d" % self.target))

    async def _down(self, service: SocketStream, client: SocketStream, is_stream: anyio.Event) -> None:
        """Answers as they are; of an event stream whole chunks, as often and as late as the test wants."""
        data = await service.receive()
        while not is_stream.is_set():
            await client.send(data)
            data = await service.receive()
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += await service.receive()
        await client.send(data[: end + 4])
        data = data[end + 4 :]
        while True:
            while (chunk := _chunk(data)) is not None:
                data = data[len(chunk) :]
                while self.silent:
                    await self._changed.wait()
                for _ in range(self.times if b"event: change" in chunk else 1):
                    await client.send(chunk)
            data += await service.receive()


def _chunk(data: bytes) -> bytes | None:
    """The first whole chunk of a chunked body, with its frame."""
    line, found, _ = data.partition(b"\r\n")
    length = len(line) + 2 + int(line, 16) + 2 if found else 0
    return data[:length] if found and len(data) >= length else None


@asynccontextmanager
async def proxied(found: Found) -> AsyncGenerator[tuple[Proxy, AsyncHITLClient]]:
    """A client that reaches the service through a proxy."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        port: int = listener.extra(SocketAttribute.local_port)
        real = found.endpoint()
        proxy = Proxy(port, found.state.port)
        proxy.way = Endpoint(f"http://127.0.0.1:{port}", real.key, real.inbox, real.port, real.proof_secret)
        tasks.start_soon(listener.serve, proxy.carry)
        async with AsyncHITLClient.at(proxy) as client:
            yield proxy, client
        tasks.cancel_scope.cancel()
