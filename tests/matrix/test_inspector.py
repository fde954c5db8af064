"""The MCP inspector's command line: reads every tool's schema for what other clients stumble over, and calls them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.matrix.clients.story import Wire
from tests.matrix.installed import node_packages
from tests.matrix.meeting import SERVER, TOOLS, meeting, run
from tests.mcp_http import Face, face
from tests.node import INSTALL_SECONDS, node

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(INSTALL_SECONDS * 2)]
WAYS = pytest.mark.parametrize("transport", ["stdio", "http"])
INSPECTOR = Path("node_modules", "@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js")


async def inspect(served: Face, home: Path, transport: str, *arguments: str, tools: str = "default") -> Wire:
    """One run of the inspector; what it printed."""
    program = [node(), str(node_packages() / INSPECTOR), "--cli", "--format", "json"]
    if transport == "http":
        key = f"Authorization: Bearer {served.key}"
        how = [f"{served.url}/mcp", "--transport", "http", "--header", key]
    else:
        settings = {"HITL_DATA_DIR": str(served.here.folder), "HITL_OPEN_BROWSER": "false", "HITL_TOOLS": tools}
        how = [sys.executable, *SERVER, *(part for item in settings.items() for part in ("-e", "=".join(item)))]
    home.mkdir(exist_ok=True)
    return json.loads(await run([*program, *how, *arguments], home))["result"]


async def call(served: Face, home: Path, transport: str, tool: str, **arguments: Any) -> Wire:
    """One tool call; its structured result."""
    called = ["--method", "tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments)]
    result = await inspect(served, home, transport, *called)
    assert not result.get("isError"), result
    return result["structuredContent"]


@pytest.mark.parametrize(
    ("transport", "tools", "era"),
    [("stdio", "default", "legacy"), ("stdio", "compat", "modern"), ("http", "default", "modern")],
)
async def test_no_schema_is_one_that_other_clients_stumble_over(
    folder: Path, tmp_path: Path, transport: str, tools: str, era: str
) -> None:
    arguments = ["--method", "tools/list", "--strict", "--protocol-era", era]
    async with face(folder) as served:
        listed = await inspect(served, tmp_path / "home", transport, *arguments, tools=tools)
    names = {tool["name"] for tool in listed["tools"]}
    assert names == TOOLS if tools == "default" else "create_request" in names


@WAYS
async def test_each_run_finds_what_an_earlier_one_asked(folder: Path, tmp_path: Path, transport: str) -> None:
    home = tmp_path / "home"
    async with meeting(folder) as served:
        asked = await call(served, home, transport, "request_human_approval", action="Approve me", wait_seconds=0)
        known = {"request_id": asked["request_id"], "wait_seconds": 60}
        checked = await call(served, home, transport, "check_request", **known)
    assert asked["outcome"] == "pending" and asked["approved"] is False
    assert checked["request_id"] == asked["request_id"] and checked["approved"] is True
