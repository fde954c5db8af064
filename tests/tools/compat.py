"""The seven tools of the official server as the tests reach them, over every transport."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from mcp import Client
from mcp.types import CallToolResult, Tool

from tests.mcp_http import over_http
from tests.served.team import Team, team
from tests.world import WAIT, Era, stdio_client

Way = Literal["stdio", "http", "sse"]
WAYS = pytest.mark.parametrize(
    ("way", "era"), [(way, era) for way in ("stdio", "http", "sse") for era in ("auto", "legacy")]
)
EACH = pytest.mark.parametrize("way", ["stdio", "http", "sse"])
QUESTION = {
    "processing_type": "deferred",
    "type": "markdown",
    "priority": "high",
    "request_text": "Which?",
    "response_type": "single_select",
    "response_config": {"options": ["Approve", "Reject"]},
    "default_response": "Reject",
}
ASK: dict[str, Any] = QUESTION | {"loop_id": "Default"}


@asynccontextmanager
async def mcp(served: Team, key: str, way: Way = "http", era: Era = "auto") -> AsyncGenerator[Client]:
    """A client of a served team, with a key."""
    address = f"http://127.0.0.1:{served.services.keys.port}"
    timeout = httpx2.Timeout(WAIT, read=WAIT * 4)
    async with (
        httpx2.AsyncClient(
            base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=timeout, trust_env=False
        ) as http,
        over_http(http, way, era) as client,
    ):
        yield client


@asynccontextmanager
async def compat(folder: Path, way: Way, era: Era = "auto", **settings: Any) -> AsyncGenerator[Client]:
    """A client of the seven tools: over stdio on the local service, over HTTP on a served one."""
    if way == "stdio":
        async with stdio_client(folder, era, HITL_TOOLS="compat") as client:
            yield client
    else:
        async with (
            team(folder, tools="compat", **settings) as served,
            mcp(served, await served.key(), way, era) as client,
        ):
            yield client


def told(result: CallToolResult) -> dict[str, Any]:
    """The result of a call that was not an error: one block of indented JSON, and the same as structure."""
    assert not result.is_error, result.content
    assert result.structured_content is not None and len(result.content) == 1
    text = str(getattr(result.content[0], "text", ""))
    assert json.loads(text) == result.structured_content and text.startswith('{\n  "message": ')
    return result.structured_content


async def tools_of(client: Client) -> dict[str, Tool]:
    """By name."""
    return {tool.name: tool for tool in (await client.list_tools()).tools}


async def ask(client: Client, **more: Any) -> dict[str, Any]:
    """A new request."""
    return told(await client.call_tool("create_request", ASK | more))
