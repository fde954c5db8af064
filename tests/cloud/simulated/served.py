"""The simulated cloud on a real loopback port, for whole-process tests."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, ClassVar

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.cloud.simulated.cloud import Cloud
from tests.cloud.simulated.faults import Dropped

BOUND = 15.0
"""Seconds to start, and to stop."""


class _Connections(H11Protocol):
    """Remembers each open connection, so that the application can drop one."""

    open: ClassVar[dict[tuple[Any, Any], asyncio.BaseTransport]] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.open[self.server, self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.open.pop((self.server, self.client), None)
        super().connection_lost(exc)


class _Server(uvicorn.Server):
    """Without signal handlers, which belong to pytest; tells when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def served(cloud: Cloud, port: int = 0) -> Generator[str]:
    """Serve a cloud in a thread of its own.

    Args:
        port: a free one by default; the port of an earlier call lets a cloud come back where it was.

    Yields: the address, without `/v1`.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await cloud.app(scope, receive, send)
        except Dropped:
            transport = _Connections.open.get((scope["server"], scope["client"]))
            if transport is not None:  # else the caller gave up first
                transport.close()
            await receive()  # until the connection has gone: returning earlier would make uvicorn send a 500

    config = uvicorn.Config(
        app,
        http=_Connections,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    with socket.create_server(("127.0.0.1", port)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=server.run, args=([listening],), name="simulated cloud", daemon=True)
        thread.start()
        try:
            assert server.ready.wait(BOUND), "the simulated cloud did not start"
            yield url
        finally:
            server.should_exit = server.force_exit = True  # a slow answer is not waited for
            thread.join(BOUND)
            assert not thread.is_alive(), "the simulated cloud did not stop"
