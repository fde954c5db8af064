"""What only a team's server says and does: its own name and address in results, and an end to keys and loops."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from hitl_mcp.contract import routes
from hitl_mcp.service.run import SERVE, running
from hitl_mcp.serving import mcp_over_http
from tests.served.team import Team, free_port, team
from tests.tools.test_asking import refused, told
from tests.world import WAIT, SimulatedClock, settings_for

pytestmark = pytest.mark.anyio
ASK = {"action": "Deploy", "wait_seconds": 0}


def http(served: Team, key: str) -> httpx2.AsyncClient:
    """A plain HTTP client with a key."""
    address = f"http://127.0.0.1:{served.services.keys.port}"
    headers = {"Authorization": f"Bearer {key}", "Accept": "application/json, text/event-stream"}
    return httpx2.AsyncClient(base_url=address, headers=headers, timeout=WAIT, trust_env=False)


@asynccontextmanager
async def mcp(served: Team, key: str) -> AsyncGenerator[Client]:
    """An MCP client with a key."""
    async with (
        http(served, key) as plain,
        Client(streamable_http_client(f"{plain.base_url}/mcp".replace("//mcp", "/mcp"), http_client=plain)) as client,
    ):
        yield client


async def test_results_name_the_server_and_only_its_inbox(folder: Path) -> None:
    async with team(folder) as served, mcp(served, await served.key()) as client:
        result = told(await client.call_tool("request_human_approval", ASK))
        assert result["backend"] == "server"
        assert result["inbox"].startswith(f"{served.origin}/requests/")
        assert f"A person answers in the inbox at {served.origin}. Next: " in result["message"]
        assert "command" not in result["message"]


async def test_a_loop_that_was_archived_is_not_chosen_from_memory_again(folder: Path) -> None:
    async with team(folder) as served:
        key = await served.key()
        async with mcp(served, key) as client, http(served, key) as plain:
            first = (await plain.get(routes.LOOPS)).json()["data"]["loops"][0]["id"]
            made = told(await client.call_tool("request_human_approval", ASK))
            await client.call_tool("cancel_request", {"request_id": made["request_id"]})
            second = (await plain.post(routes.LOOPS, json={"name": "Second", "icon": "star"})).json()["data"]["loop"][
                "id"
            ]
            named = told(await client.call_tool("request_human_approval", {**ASK, "loop": "Second"}))
            assert named["outcome"] == "pending", "a loop that was made after the list was read is found"
            assert (await plain.delete(routes.LOOP.format(loop_id=first))).status_code == 200
            words = refused(await client.call_tool("request_human_approval", {**ASK, "loop": first}))
            assert "not found" in words.lower() or "names no loop" in words
            again = told(await client.call_tool("request_human_approval", ASK))
            asked = (await plain.get(routes.REQUEST.format(request_id=again["request_id"]))).json()["data"]["request"]
            assert asked["loop_id"] == second


async def test_a_revoked_key_opens_nothing_after_two_seconds(folder: Path) -> None:
    clock = SimulatedClock()
    port = free_port()
    settings = settings_for(folder, port=port, public_url=f"http://team.localhost:{port}")
    async with running(settings, hosted_by=SERVE, clock=clock, mount=mcp_over_http(settings)) as services:
        served = Team(services, f"http://team.localhost:{port}")
        made = await served.console("POST", routes.KEYS, {"name": "gone", "scopes": ["requests:write", "loops:read"]})
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        async with mcp(served, made["key"]) as client, http(served, made["key"]) as plain:
            told(await client.call_tool("request_human_approval", ASK))
            await served.console("DELETE", routes.KEY.format(key_id=made["id"]))
            clock.move(2)
            assert (await plain.post("/mcp", json=ping)).status_code == 401
            assert (await plain.get("/sse")).status_code == 401
