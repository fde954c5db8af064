"""`hitl-mcp serve`: one process with the API, the inbox and MCP over HTTP."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
from filelock import FileLock, Timeout

from hitl_mcp.launcher import end, start_lock
from hitl_mcp.sdk.endpoint import Endpoint, Fixed
from hitl_mcp.sdk.local import find
from hitl_mcp.service.context import Keys, Services
from hitl_mcp.service.run import SERVE, Mount, run_until_told
from hitl_mcp.service.web.logs import log_as_json
from hitl_mcp.settings import Settings, listed
from hitl_mcp.tools.http.app import MCPOverHTTP, create_mcp_app

SWITCH_SECONDS = 0.001


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises: NotConfigured."""
    log_as_json(settings.log_level)
    # the event loop and SQLite's writer hand over often; the default of 5 ms would be most of a decision's way
    sys.setswitchinterval(SWITCH_SECONDS)
    anyio.run(_serve, settings, backend_options={"use_uvloop": sys.platform != "win32"})


async def _serve(settings: Settings) -> None:
    lock = None if settings.database_url is not None else await _take_over(settings)

    def ready(services: Services) -> None:
        if lock is not None:
            lock.release()
        _say(services)

    try:
        await run_until_told(settings, ready, hosted_by=SERVE, mount=mcp_over_http(settings))
    finally:
        if lock is not None:
            lock.release()


async def _take_over(settings: Settings) -> FileLock | None:
    """The lock under which a folder's service starts: a command that comes meanwhile waits for this one.

    A command may have started the folder's local service before; it yields to the server. Where another goes on
    starting one, the folder's own lock decides.
    """
    try:
        lock = await start_lock(settings.data_dir)
    except Timeout:
        lock = None
    found = await find(settings.data_dir)
    if found is not None and found.state.hosted_by == "background":
        await end(found)
    return lock


def mcp_over_http(settings: Settings) -> Mount:
    """MCP as the service mounts it. Each call goes to the process's own API with the caller's key."""

    @asynccontextmanager
    async def mount(keys: Keys) -> AsyncGenerator[MCPOverHTTP]:
        def resolver_for(key: str) -> Fixed:
            address = f"http://127.0.0.1:{keys.internal_port}"
            return Fixed(Endpoint(address, key, keys.public_address, name="server"))

        hosts, origins = _own_names(keys)
        app = create_mcp_app(
            resolver_for, allowed_hosts=hosts, allowed_origins=[*origins, *listed(settings.cors_origins)],
            loop=settings.loop, wait_seconds=settings.wait_seconds, tools=settings.tools,
            round_seconds=settings.round_seconds, state_key=lambda: keys.request_state_key,
        )  # fmt: skip
        async with app.running():
            yield app

    return mount


def _own_names(keys: Keys) -> tuple[list[str], list[str]]:
    """The host names and origins that MCP answers to: always a list, never everything."""
    loopback = [
        f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]") for port in (keys.port, keys.internal_port)
    ]
    hosts = [*loopback, *(form for name in keys.allowed_hosts for form in (name, f"{name}:*"))]
    origins = [f"http://{name}" for name in loopback]
    if keys.public_url is not None:
        hosts.append(urlsplit(keys.public_url).netloc)
        origins.append(keys.public_url)
    return hosts, origins


def _say(services: Services) -> None:
    keys = services.keys
    sys.stderr.write(
        f"hitl-mcp serves on {keys.public_address} ({services.database}). API /v1, MCP /mcp and /sse, reference /docs. "
        "Make a key with `hitl-mcp keys create NAME`, sign in with `hitl-mcp inbox --print`.\n"
    )
    sys.stderr.flush()
