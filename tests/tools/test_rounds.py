"""A wait that goes on in several short requests, for clients of 2026-07-28 that can (mcp reference, 6.4)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import SecretStr

from tests import postgres
from tests.mcp_http import Face, Transport, over_http, serving
from tests.served.team import Team, team
from tests.tools.dialogs import User, doing, requests_of, user_client
from tests.tools.test_asking import only_open, reviewer_of, told
from tests.world import WAIT, eventually, world

pytestmark = pytest.mark.anyio
MODERN = pytest.mark.parametrize("transport", ["stdio", "http"])
CRITICAL = {"action": "Deploy", "priority": "critical", "wait_seconds": 600}
"""A question without a dialog, of a client that has some."""
ROUND = 0.5
HOST = 4.0
"""A host that cuts calls after so many seconds."""
TOOL = "request_human_approval"


async def one_round(client: Client, arguments: dict[str, Any], state: str | None, tool: str = TOOL) -> Any:
    """One request of a call, as the client's own loop makes it."""
    return await client.session.call_tool(
        tool, arguments, read_timeout_seconds=HOST, request_state=state, allow_input_required=True
    )


async def own(client: Client) -> list[dict[str, Any]]:
    """The client's requests."""
    content: Any = (await client.call_tool("list_requests", {})).structured_content
    return content["requests"]


@MODERN
async def test_a_wait_goes_on_beyond_the_hosts_limit_and_asks_once(folder: Path, transport: Transport) -> None:
    user = User(folder, doing("cancel"))
    async with user_client(user, transport, round_seconds=ROUND) as client:
        await client.call_tool("list_loops", {})  # starts the service, which may take longer than the host waits
        state: str | None = None
        for _ in range(3):
            result = await one_round(client, CRITICAL, state)
            assert isinstance(result, InputRequiredResult) and not result.input_requests
            state = result.request_state
        reviewer = await reviewer_of(folder)
        request_id = await only_open(reviewer)
        await reviewer.answer(request_id, "approve")
        last = await one_round(client, CRITICAL, state)
        assert isinstance(last, CallToolResult)
        decided = told(last)

        async def collected() -> bool:
            listed = await own(client)
            assert [request["request_id"] for request in listed] == [request_id]
            return listed[0]["collected"]

        await eventually(collected)  # the last round's result is the delivery
    assert decided["outcome"] == "approved" and decided["request_id"] == request_id


@MODERN
async def test_after_eight_rounds_there_is_a_handle_and_the_model_saw_one_call(
    folder: Path, transport: Transport
) -> None:
    user = User(folder, doing("cancel"))
    async with user_client(user, transport, round_seconds=ROUND, read_timeout_seconds=HOST - ROUND) as client:
        await client.session.call_tool("list_loops", {}, read_timeout_seconds=WAIT)
        with anyio.fail_after(WAIT * 2):  # eight rounds are longer than the host waits for one
            pending = told(await client.call_tool(TOOL, CRITICAL))
            assert pending["outcome"] == "pending" and "check_request" in pending["message"]
            checking = {"request_id": pending["request_id"], "wait_seconds": 600}
            again = told(await client.call_tool("check_request", checking))
    assert again["outcome"] == "pending" and again["joined"] is False
    assert user.shown == []


async def test_what_the_result_must_say_is_said_after_the_rounds(folder: Path) -> None:
    user = User(folder, doing("cancel"))
    short = CRITICAL | {"wait_seconds": 1.2}
    async with user_client(user, "stdio", round_seconds=ROUND) as client:
        first = told(await client.call_tool(TOOL, {**CRITICAL, "wait_seconds": 0}))
        joined = told(await client.call_tool(TOOL, short))
        other = told(await client.call_tool(TOOL, short | {"action": "Another"}))
    assert joined["request_id"] == first["request_id"] and joined["joined"] is True
    assert "1 other question waits" in other["message"]


async def test_a_dialog_comes_before_the_rounds_and_once(folder: Path) -> None:
    user = User(folder, doing("decline"))
    async with user_client(user, "http", round_seconds=ROUND) as client:
        with anyio.fail_after(WAIT * 2):
            pending = told(await client.call_tool(TOOL, {"action": "Deploy", "wait_seconds": 600}))
    assert pending["outcome"] == "pending" and len(user.shown) == 1


@asynccontextmanager
async def faces(folder: Path, first: bytes, second: bytes) -> AsyncGenerator[tuple[Face, Face]]:
    """Two processes' MCP faces of one service, each with its key for states."""
    async with (
        world(folder) as here,
        serving(here, round_seconds=ROUND, state_key=lambda: first) as one,
        serving(here, round_seconds=ROUND, state_key=lambda: second) as two,
    ):
        yield one, two


async def test_another_process_goes_on_with_the_call(folder: Path) -> None:
    key, user = b"k" * 32, User(folder, doing("cancel"))
    async with faces(folder, key, key) as (one, two):
        async with one.client("http", elicitation_callback=user) as client:
            begun = await one_round(client, CRITICAL, None)
        await one.here.reviewer.answer(await only_open(one.here.reviewer), "reject")
        async with two.client("http", elicitation_callback=user) as client:
            decided = told(await one_round(client, CRITICAL, begun.request_state))
        assert decided["outcome"] == "rejected"
        assert await requests_of(one.here.agent) == [decided["request_id"]]


async def test_a_state_of_another_key_caller_or_question_is_refused(folder: Path) -> None:
    user = User(folder, doing("cancel"))
    async with faces(folder, b"k" * 32, b"q" * 32) as (one, two):
        async with one.client("http", elicitation_callback=user) as client:
            state = (await one_round(client, CRITICAL, None)).request_state
            with pytest.raises(MCPError, match="Invalid or expired requestState"):
                await one_round(client, CRITICAL | {"action": "Drop it"}, state)
            with pytest.raises(MCPError, match="Invalid or expired requestState"):
                await one_round(client, CRITICAL, state[:-2] + "AA")
        async with two.client("http", elicitation_callback=user) as client:
            with pytest.raises(MCPError, match="Invalid or expired requestState"):
                await one_round(client, CRITICAL, state)
        assert len(await requests_of(one.here.agent)) == 1


@asynccontextmanager
async def team_client(server: Team, key: str, user: User) -> AsyncGenerator[Client]:
    """A client of a team's server."""
    address = f"http://127.0.0.1:{server.services.keys.internal_port}"
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(base_url=address, headers=headers, trust_env=False, timeout=WAIT) as http,
        over_http(http, "http", "auto", elicitation_callback=user) as client,
    ):
        yield client


async def test_a_call_goes_on_after_the_server_was_started_again_and_is_its_callers_only(folder: Path) -> None:
    user = User(folder, doing("cancel"))
    async with team(folder, round_seconds=ROUND) as server:
        key, other = await server.key(), await server.key()
        async with team_client(server, key, user) as client:
            state = (await one_round(client, CRITICAL, None)).request_state
    async with team(folder, round_seconds=ROUND) as server:
        async with team_client(server, other, user) as client:
            with pytest.raises(MCPError, match="Invalid or expired requestState"):
                await one_round(client, CRITICAL, state)
        async with team_client(server, key, user) as client:
            again = await one_round(client, CRITICAL, state)
            listed = await own(client)
    assert isinstance(again, InputRequiredResult), "it still waits"
    assert len(listed) == 1


async def test_another_process_of_one_database_goes_on_with_the_call(folder: Path, tmp_path: Path) -> None:
    user = User(folder, doing("cancel"))
    async with postgres.database() as url:
        shared: dict[str, Any] = {"database_url": SecretStr(url), "round_seconds": ROUND}
        async with team(folder, **shared) as one, team(tmp_path / "other", **shared) as two:
            key = await one.key()
            async with team_client(one, key, user) as client:
                begun = await one_round(client, CRITICAL, None)
            async with team_client(two, key, user) as client:
                again = await one_round(client, CRITICAL, begun.request_state)
                assert isinstance(again, InputRequiredResult), "it still waits"
                assert len(await own(client)) == 1
