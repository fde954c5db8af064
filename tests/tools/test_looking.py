"""The tools that look, and what every tool says to arguments that are off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.mcp_http import Transport, mcp_client
from tests.tools.test_asking import TRANSPORTS, WAYS, refused, reviewer_of, told
from tests.world import Era, stdio_client

pytestmark = pytest.mark.anyio


@WAYS
async def test_loops_and_requests_are_listed_with_the_inbox_and_no_secret(
    folder: Path, transport: Transport, era: Era
) -> None:
    async with mcp_client(folder, transport, era) as client:
        loops = await client.call_tool("list_loops", {})
        assert loops.structured_content is not None
        assert [loop["name"] for loop in loops.structured_content["loops"]] == ["Default"]
        one = told(
            await client.call_tool("ask_human", {"question": "First?", "response_type": "text", "wait_seconds": 0})
        )
        two = told(
            await client.call_tool("ask_human", {"question": "Second?", "response_type": "text", "wait_seconds": 0})
        )
        reviewer = await reviewer_of(folder)
        await reviewer.answer(one["request_id"], "yes")
        listed = await client.call_tool("list_requests", {})
        assert listed.structured_content is not None
        ids = [entry["request_id"] for entry in listed.structured_content["requests"]]
        assert ids == [one["request_id"], two["request_id"]], "a decision that was not collected comes first"
        pending = await client.call_tool("list_requests", {"status": "pending"})
        assert pending.structured_content is not None
        assert [entry["request_id"] for entry in pending.structured_content["requests"]] == [two["request_id"]]
        secret = (folder / "secret").read_text().strip()
        said = f"{loops} {listed} {one}"
        assert secret not in said and "hitl_local_" not in said and "hitl_console_" not in said
        assert ".localhost" not in said, "the inbox's own host name is not for agents"


@TRANSPORTS
async def test_a_request_can_be_cancelled_once_and_says_so(folder: Path, transport: Transport) -> None:
    async with mcp_client(folder, transport) as client:
        made = told(await client.call_tool("request_human_approval", {"action": "Deploy", "wait_seconds": 0}))
        for _ in range(2):
            gone = told(await client.call_tool("cancel_request", {"request_id": made["request_id"]}))
            assert gone["outcome"] == "cancelled" and gone["approved"] is False


WRONG: list[tuple[str, dict[str, Any], list[str]]] = [
    ("request_human_approval", {}, ["action", "required"]),
    ("request_human_approval", {"action": ""}, ["action", "at least 1"]),
    ("request_human_approval", {"action": "x", "priority": "urgent"}, ["priority", "'critical'"]),
    ("request_human_approval", {"action": "x", "timeout_seconds": 5}, ["timeout_seconds", "60"]),
    ("request_human_approval", {"action": "x", "wait_seconds": -1}, ["wait_seconds", "0"]),
    ("request_human_approval", {"action": "x", "loop": "Nowhere"}, ["loop", "'Nowhere'", "'Default'"]),
    ("request_human_approval", {"action": "a\x00b"}, ["action", "U+0000"]),
    ("request_human_approval", {"action": "x", "context": {"k": "a\x00b"}}, ["context", "U+0000"]),
    ("ask_human", {"question": "?", "response_type": "choice"}, ["response_type", "'single_select'"]),
    ("ask_human", {"question": "?", "response_type": "single_select"}, ["response_config.options", "{'options': ["]),
    (
        "ask_human",
        {"question": "?", "response_type": "rating", "response_config": {"scale_max": 1}},
        ["scale_min", "less"],
    ),
    (
        "ask_human",
        {"question": "?", "response_type": "single_select", "response_config": {"options": ["A", "a"]}},
        ["options", "differ"],
    ),
    (
        "ask_human",
        {"question": "?", "response_type": "boolean", "default_response": "true"},
        ["default_response", "true or false"],
    ),
    ("check_request", {"request_id": "abc"}, ["request_id", "24 characters", "list_requests"]),
    ("check_request", {"request_id": "0" * 24}, ["There is no request", "list_requests"]),
    ("cancel_request", {"request_id": "0" * 24}, ["There is no request"]),
    ("list_requests", {"limit": 0}, ["limit", "1"]),
]


@TRANSPORTS
async def test_wrong_arguments_come_back_in_words_that_say_how_to_repair_them(
    folder: Path, transport: Transport
) -> None:
    async with mcp_client(folder, transport) as client:
        for tool, arguments, parts in WRONG:
            words = refused(await client.call_tool(tool, arguments))
            for part in parts:
                assert part in words, f"{tool} {arguments}: {words}"
            assert "Traceback" not in words and "pydantic" not in words
        listed = await client.call_tool("list_requests", {})
        assert listed.structured_content is not None and listed.structured_content["requests"] == []


async def test_tools_are_described_with_schemas_for_input_and_output(folder: Path) -> None:
    async with stdio_client(folder) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {
        "request_human_approval", "ask_human", "check_request", "list_loops", "list_requests", "update_request",
        "cancel_request",
    }  # fmt: skip
    for tool in tools.values():
        assert tool.description and tool.output_schema and tool.annotations
    assert not folder.exists(), "listing tools must touch nothing"
    config = tools["ask_human"].input_schema["properties"]["response_config"]
    assert "draft_text" in str(config), "the typed union of configurations is part of the schema"
