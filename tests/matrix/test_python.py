"""The Python SDKs: the one we serve with, in both eras, and 1.x, in an environment of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server.mcpserver import Context

from hitl_mcp.backends import open_backend
from hitl_mcp.tools.deliveries import Deliveries
from hitl_mcp.tools.desk import Desk, Reception
from hitl_mcp.tools.server import HITLServer
from tests.matrix.clients.story import Wire, tell
from tests.matrix.installed import CLIENTS, python_v1
from tests.matrix.meeting import how, judge, last_line, meeting, run
from tests.mcp_http import Face
from tests.node import INSTALL_SECONDS
from tests.world import Era, Reviewer, eventually, settings_for, stdio_client

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(INSTALL_SECONDS * 2)]
PROTOCOLS: dict[Era, str] = {"legacy": "2025-11-25", "auto": "2026-07-28"}


class Calls:
    """See `Caller`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def tools(self) -> list[Wire]:
        return (await self._client.list_tools()).model_dump(mode="json", by_alias=True)["tools"]

    async def call(self, name: str, arguments: Wire, heard: Callable[[str], None] | None = None) -> Wire:
        async def heed(progress: float, total: float | None, message: str | None) -> None:
            if heard is not None:
                heard(message or "")

        result = await self._client.call_tool(name, arguments, progress_callback=heed if heard else None)
        return result.model_dump(mode="json", by_alias=True)


class OneAgent:
    """The reception of a server that runs inside its client's process: results are never written anywhere."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def desk(self) -> Desk:
        """See `Reception`."""
        return self._desk

    def follow(self, ctx: Context[Any, Any], deliveries: Deliveries, request_id: str) -> None:
        """See `Reception`."""
        deliveries.delivered(request_id)


def server_in_memory(folder: Path) -> HITLServer:
    """Our server as a library: no process, no transport."""

    @asynccontextmanager
    async def reception() -> AsyncGenerator[Reception]:
        async with anyio.create_task_group() as tasks:
            desk = Desk(lambda tasks: open_backend(settings_for(folder), tasks), tasks, None)
            try:
                yield OneAgent(desk)
            finally:
                tasks.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await desk.aclose()

    return HITLServer(reception, wait_seconds=45, merges=True)


@asynccontextmanager
async def connected(served: Face, transport: str, era: Era) -> AsyncGenerator[Client]:
    """This environment's client over any transport."""
    folder = served.here.folder
    if transport == "memory":
        async with Client(server_in_memory(folder), mode=era) as client:
            yield client
    elif transport == "stdio":
        async with stdio_client(folder, era) as client:
            yield client
    else:
        async with served.client("sse" if transport == "sse" else "http", era) as client:
            yield client


async def _is_open(reviewer: Reviewer, text: str) -> bool:
    return any(request.request_text == text for request in await reviewer.open_requests())


@pytest.mark.parametrize(
    ("transport", "era"),
    [
        ("memory", "auto"),
        ("stdio", "auto"),
        ("http", "auto"),
        ("http", "legacy"),
        ("sse", "legacy"),
        pytest.param("memory", "legacy", marks=pytest.mark.nightly),
        pytest.param("stdio", "legacy", marks=pytest.mark.nightly),
        pytest.param("sse", "auto", marks=pytest.mark.nightly),
    ],
)
async def test_version_2_understands_the_server(folder: Path, transport: str, era: Era) -> None:
    silent = (transport, era) == ("memory", "auto")  # there a call has no progress token, so the tools send nothing
    async with meeting(folder) as served, connected(served, transport, era) as client:

        async def held() -> None:
            await eventually(partial(_is_open, served.here.reviewer, "Give me up"))

        told = await tell(Calls(client), held if silent else None)
        met = {
            "protocol": client.protocol_version,
            "server": client.server_info.model_dump(mode="json", by_alias=True) if client.server_info else None,
            "capabilities": client.server_capabilities.model_dump(mode="json", by_alias=True, exclude_none=True),
            "instructions": client.instructions,
        }
    judge({**met, **told}, progress=not silent)
    assert met["protocol"] == PROTOCOLS[era]


@pytest.mark.parametrize("transport", ["stdio", "http", "sse"])
async def test_version_1_understands_the_server(folder: Path, tmp_path: Path, transport: str) -> None:
    program = [str(python_v1()), str(CLIENTS / "python_v1.py")]
    async with meeting(folder) as served:
        told = last_line(await run([*program, how(served, transport, leaves=True)], tmp_path))
    judge(told)
    assert told["protocol"] == "2025-11-25"
