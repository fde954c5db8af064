"""A team's server as the tests meet it: in this event loop, under a public name, with keys and people."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hitl_mcp.contract import routes
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.local import ask
from hitl_mcp.service.clock import Clock, wall_clock
from hitl_mcp.service.context import Services
from hitl_mcp.service.run import SERVE, running
from hitl_mcp.serving import mcp_over_http
from tests.world import settings_for

ALL_SCOPES = ["loops:read", "loops:write", "members:write", "requests:read", "requests:write"]


def free_port() -> int:
    """A port nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Team:
    """A served service.

    Attributes:
        origin: its public URL.
    """

    services: Services
    origin: str

    def endpoint(self, key: str) -> Endpoint:
        """The API with a credential."""
        return Endpoint(f"http://127.0.0.1:{self.services.keys.internal_port}", key, self.origin)

    async def console(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A call of whoever has the machine's terminal."""
        return await ask(self.endpoint(self.services.keys.console), method, path, body)

    async def key(self, **more: Any) -> str:
        """A new API key that may do everything."""
        body = {"name": "tests", "scopes": ALL_SCOPES} | more
        return str((await self.console("POST", routes.KEYS, body))["key"])

    async def code(self, email: str | None = None) -> str:
        """A code to sign in with."""
        return str((await self.console("POST", routes.SIGN_INS, {"typed": True, "email": email}))["code"])


@asynccontextmanager
async def team(folder: Path, *, clock: Clock = wall_clock, **settings: Any) -> AsyncGenerator[Team]:
    """A server under `http://team.localhost:PORT`, which the browser takes for a name of its own."""
    port = free_port()
    origin = f"http://team.localhost:{port}"
    chosen = settings_for(folder, **({"port": port, "public_url": origin} | settings))
    async with running(chosen, hosted_by=SERVE, clock=clock, mount=mcp_over_http(chosen)) as services:
        yield Team(services, origin)
