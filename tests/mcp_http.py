"""The MCP face over HTTP in the test's own event loop, over a local service, reached through real sockets."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx2
import uvicorn
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.local import Found
from hitl_mcp.tools.http import MCPOverHTTP, create_mcp_app
from tests.world import WAIT, Era, World, stdio_client, world

Transport = Literal["stdio", "http", "sse"]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # signals belong to pytest


@dataclass(frozen=True)
class ThisService:
    """Finds the test's service, as the owner of a key."""

    found: Found
    key: str

    async def endpoint(self, failed: Endpoint | None = None) -> Endpoint:
        """See `Resolver`."""
        return self.found.session(self.key)


@dataclass
class Face:
    """A served MCP application.

    Attributes:
        url: without a path.
        key: the API key of the local service's agent.
    """

    url: str
    key: str
    app: MCPOverHTTP
    here: World
    server: uvicorn.Server

    def http(self, key: str | None = None, **headers: str) -> httpx2.AsyncClient:
        """A plain HTTP client with a key."""
        every = {"Authorization": f"Bearer {self.key if key is None else key}"} | headers
        return httpx2.AsyncClient(
            base_url=self.url, headers=every, timeout=httpx2.Timeout(WAIT, read=WAIT * 4), trust_env=False
        )

    @asynccontextmanager
    async def client(
        self, transport: Transport, era: Era = "auto", key: str | None = None, **more: Any
    ) -> AsyncGenerator[Client]:
        """A real MCP client; `more` are arguments of `Client`."""
        async with self.http(key) as http, over_http(http, transport, era, **more) as client:
            yield client


@asynccontextmanager
async def over_http(http: httpx2.AsyncClient, transport: str, era: Era, **more: Any) -> AsyncGenerator[Client]:
    """A real MCP client of the server that `http` is for, with its key.

    Args:
        transport: `http` or `sse`.
    """
    url = str(http.base_url).rstrip("/")
    if transport == "sse":
        headers = {"Authorization": http.headers["Authorization"]}
        async with Client(sse_client(f"{url}/sse", headers=headers), mode=era, **more) as client:
            yield client
        return
    async with Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=era, **more) as client:
        yield client


@asynccontextmanager
async def face(folder: Path, **settings: Any) -> AsyncGenerator[Face]:
    """The MCP face of a local service in this event loop."""
    async with world(folder, **settings) as here, serving(here) as served:
        yield served


@asynccontextmanager
async def serving(here: World, **more: Any) -> AsyncGenerator[Face]:
    """The MCP face of a service that runs; `more` are arguments of `create_mcp_app`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with _serving(here, listening, more) as served:
            yield served


@asynccontextmanager
async def _serving(here: World, listening: socket.socket, more: dict[str, Any]) -> AsyncGenerator[Face]:
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    app = create_mcp_app(
        lambda key: ThisService(here.found, key),
        allowed_hosts=[url.removeprefix("http://")],
        allowed_origins=[url],
        **more,
    )
    server = _Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
    async with app.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listening])
        try:
            yield Face(url, here.found.endpoint().key, app, here, server)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(WAIT):
                await app.drain()
            server.should_exit = True


@asynccontextmanager
async def mcp_client(folder: Path, transport: Transport, era: Era = "auto") -> AsyncGenerator[Client]:
    """A real MCP client over any transport, to the service of a folder."""
    if transport == "stdio":
        async with stdio_client(folder, era) as client:
            yield client
    else:
        async with face(folder) as served, served.client(transport, era) as client:
            yield client
