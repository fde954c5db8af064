"""The seven tools of the official server: documented names, inputs, results and words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from hitl_mcp.contract.media import Media
from hitl_mcp.contract.models import RequestChange
from hitl_mcp.tools.compat.schemas import CHANGEABLE
from tests.tools.compat import ASK, EACH, QUESTION, WAYS, Way, ask, compat, told, tools_of
from tests.tools.test_asking import refused, reviewer_of
from tests.world import Era

pytestmark = pytest.mark.anyio


@WAYS
async def test_exactly_the_official_tools_are_served(folder: Path, way: Way, era: Era) -> None:
    async with compat(folder, way, era) as client:
        tools = await tools_of(client)
    assert list(tools) == [
        "list_loops", "create_request", "list_requests", "get_request", "update_request", "cancel_request",
        "add_request_feedback",
    ]  # fmt: skip
    for tool in tools.values():
        assert tool.description and tool.output_schema and tool.annotations and tool.title
    looking = [name for name, tool in tools.items() if tool.annotations and tool.annotations.read_only_hint]
    assert looking == ["list_loops", "list_requests", "get_request"]


INPUTS: dict[str, tuple[set[str], set[str]]] = {
    "list_loops": (set(), set()),
    "create_request": (
        {"loop_id", *QUESTION},
        {"timeout_seconds", "platform", "image_url", "context", "callback_url", "tags"},
    ),
    "list_requests": (set(), {"status", "priority", "loop_id", "limit", "offset", "sort"}),
    "get_request": ({"request_id"}, set()),
    "update_request": ({"request_id", "updates"}, set()),
    "cancel_request": ({"request_id"}, set()),
    "add_request_feedback": ({"request_id", "feedback"}, set()),
}
"""Required and optional ones (contract section 7.1)."""
ADDED = {"create_request": {"wait_seconds", *Media.model_fields} - {"image_url"}, "get_request": {"wait_seconds"}}


async def test_inputs_are_the_documented_ones_and_what_is_added_is_optional(folder: Path) -> None:
    async with compat(folder, "stdio") as client:
        tools = await tools_of(client)
    assert not folder.exists(), "listing tools must touch nothing"
    for name, (required, optional) in INPUTS.items():
        schema = tools[name].input_schema
        assert set(schema.get("required", [])) == required, name
        assert set(schema["properties"]) == required | optional | ADDED.get(name, set()), name
    create = tools["create_request"].input_schema["properties"]
    assert {"markdown", "image"} < set(create["type"]["enum"])
    assert set(create["processing_type"]["enum"]) == {"time-sensitive", "deferred"}
    assert set(create["priority"]["enum"]) == {"low", "medium", "high", "critical"}
    documented = {"single_select", "multi_select", "rating", "text", "number"}
    assert set(create["response_type"]["enum"]) == documented | {"boolean", "editable_text"}
    titles = [one["title"] for one in create["response_config"]["anyOf"]]
    assert set(titles) == set(create["response_type"]["enum"]), "one typed configuration for each response type"
    assert create["wait_seconds"]["default"] == 0 and create["platform"]["default"] == "api"
    updates = tools["update_request"].input_schema["properties"]["updates"]
    assert set(updates["properties"]) < set(create) and set(updates["properties"]) <= set(RequestChange.model_fields)
    feedback = tools["add_request_feedback"].input_schema["properties"]["feedback"]
    assert feedback["additionalProperties"] is True and feedback["properties"]["rating"]["type"] == "number"
    assert updates["minProperties"] == feedback["minProperties"] == 1
    listing = tools["list_requests"].input_schema["properties"]
    assert listing["limit"]["maximum"] == 100 and listing["limit"]["minimum"] == 1 and listing["offset"]["minimum"] == 0


@WAYS
async def test_results_have_the_documented_shapes(folder: Path, way: Way, era: Era) -> None:
    async with compat(folder, way, era) as client:
        kind = "local" if way == "stdio" else "server"
        loops = told(await client.call_tool("list_loops", {}))
        assert loops["count"] == len(loops["loops"]) == 1 and loops["backend"] == kind
        loop = loops["loops"][0]
        assert {"id", "name", "icon", "creator_id", "member_count", "pending_count", "created_at"} <= set(loop)
        assert "invite_code" not in loop

        made = await ask(client, loop_id=loop["id"])
        request_id = made["data"]["request_id"]
        assert set(made["data"]) == {
            "request_id", "status", "processing_type", "type", "priority", "timeout_at", "broadcasted_to",
            "notifications_sent", "polling_url", "request",
        }  # fmt: skip
        assert made["data"]["status"] == "pending" and made["data"]["request"] is None
        assert made["outcome"] == "pending" and made["approved"] is False and made["backend"] == kind
        assert f"call get_request with request_id {request_id}" in made["message"]
        assert "check_request" not in str(made)

        changed = told(
            await client.call_tool(
                "update_request", {"request_id": request_id, "updates": {"request_text": "Which one?"}}
            )
        )
        assert changed["data"]["request"]["request_text"] == "Which one?"
        assert changed["data"]["request"]["revision"] == 2 and changed["outcome"] == "pending"

        await (await reviewer_of(folder)).answer(request_id, "Approve", revision=2, comment="Fine")
        got = told(await client.call_tool("get_request", {"request_id": request_id}))
        assert got["data"]["request"]["response_data"] == "Approve" and got["data"]["request"]["id"] == request_id
        assert got["outcome"] == "answered" and got["approved"] is False and got["backend"] == kind
        assert '"Fine"' in got["message"] and "`approved` stays false" in got["message"]

        rated = told(
            await client.call_tool(
                "add_request_feedback", {"request_id": request_id, "feedback": {"rating": 5.0, "mood": "good"}}
            )
        )
        assert rated["data"] == {"request_id": request_id, "feedback": {"rating": 5, "mood": "good"}}

        other = (await ask(client, request_text="Another?"))["data"]["request_id"]
        gone = told(await client.call_tool("cancel_request", {"request_id": other}))
        assert gone["data"]["request_id"] == other and gone["data"]["status"] == "cancelled"
        assert gone["outcome"] == "cancelled" and gone["approved"] is False

        listed = told(await client.call_tool("list_requests", {}))
        assert listed["summary"] == {"count": 2, "total": 2, "has_more": False}
        by_id = {request["id"]: request for request in listed["requests"]}
        assert by_id[request_id]["outcome"] == "answered" and by_id[request_id]["response_data"] == "Approve"
        assert by_id[other]["outcome"] == "cancelled" and by_id[other]["approved"] is False


MISSING: list[tuple[str, dict[str, Any], str, str]] = [
    ("create_request", {}, "Loop ID is required", "list_loops"),
    ("create_request", QUESTION | {"loop_id": ""}, "Loop ID is required", "list_loops"),
    ("create_request", QUESTION | {"loop_id": None}, "Loop ID is required", "list_loops"),
    ("get_request", {}, "request_id is required", "list_requests"),
    ("get_request", {"request_id": ""}, "request_id is required", "list_requests"),
    ("cancel_request", {}, "request_id is required", "list_requests"),
    ("update_request", {"updates": {"priority": "low"}}, "request_id is required", "list_requests"),
    ("add_request_feedback", {"feedback": {"rating": 1}}, "request_id is required", "list_requests"),
    (
        "create_request", ASK | {"processing_type": "time-sensitive"},
        "timeout_seconds is required when processing_type is time-sensitive", "60 to 86400",
    ),
    ("create_request", ASK | {"type": "image"}, "image_url is required when type is image", "markdown"),
    ("update_request", {"request_id": "0" * 24, "updates": {}}, "Provide at least one field to update", "priority"),
    ("update_request", {"request_id": "0" * 24}, "Provide at least one field to update", "priority"),
    ("add_request_feedback", {"request_id": "0" * 24, "feedback": {}}, "Feedback cannot be empty", "rating"),
    ("add_request_feedback", {"request_id": "0" * 24}, "Feedback cannot be empty", "rating"),
]  # fmt: skip
"""The documented messages for missing input, and a part of the sentence that follows each."""
REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("create_request", ASK | {"loop_id": "0" * 24}, "Loop not found (status 404)", "list_loops"),
    ("get_request", {"request_id": "0" * 24}, "Request not found (status 404)", "list_requests"),
    ("get_request", {"request_id": "abc"}, "Invalid request ID format (status 400)", "24 characters"),
    ("cancel_request", {"request_id": "0" * 24}, "Request not found (status 404)", "list_requests"),
    ("cancel_request", {"request_id": "abc"}, "Invalid request ID format (status 400)", "24 characters"),
    (
        "update_request", {"request_id": "0" * 24, "updates": {"priority": "urgent"}},
        "Validation failed (status 400)", "priority",
    ),
    (
        "add_request_feedback", {"request_id": "0" * 24, "feedback": {"rating": 9}},
        "Validation failed (status 400)", "rating",
    ),
    ("create_request", ASK | {"type": "video"}, "video_url is required when type is video", "Correct it"),
    ("create_request", ASK | {"loop_id": "Nowhere"}, "loop_id 'Nowhere' names no loop", "'Default'"),
    ("create_request", ASK | {"response_config": {}}, "response_config.options", "An example for single_select"),
    ("create_request", ASK | {"default_response": "Perhaps"}, "default_response", "Correct it"),
    ("create_request", ASK | {"response_type": "choice"}, "response_type", "'single_select'"),
    ("create_request", ASK | {"timeout_seconds": 5}, "timeout_seconds", "60"),
    ("list_requests", {"limit": 101}, "limit", "100"),
    (
        "update_request", {"request_id": "0" * 24, "updates": {"type": "image"}},
        "updates.type cannot be changed", "cancel_request",
    ),
]  # fmt: skip


@EACH
async def test_what_is_missing_or_refused_is_said_in_the_documented_words_and_how_to_repair_it(
    folder: Path, way: Way
) -> None:
    async with compat(folder, way) as client:
        for tool, arguments, words, repair in MISSING:
            said = refused(await client.call_tool(tool, arguments))
            assert said.startswith(f"{words}. "), f"{tool} {arguments}: {said}"
            assert repair in said.removeprefix(words), said
        for tool, arguments, words, repair in REFUSED:
            said = refused(await client.call_tool(tool, arguments))
            assert words in said and repair in said, f"{tool} {arguments}: {said}"
            assert "Traceback" not in said and "pydantic" not in said and "check_request" not in said
        assert told(await client.call_tool("list_requests", {}))["requests"] == []


@EACH
async def test_a_closed_request_can_be_neither_cancelled_nor_changed_nor_rated(folder: Path, way: Way) -> None:
    async with compat(folder, way) as client:
        request_id = (await ask(client))["data"]["request_id"]
        told(await client.call_tool("cancel_request", {"request_id": request_id}))
        for tool, more, words in [
            ("cancel_request", {}, "Request cannot be cancelled in current state (status 400)"),
            ("update_request", {"updates": {"priority": "low"}}, "Request cannot be updated in current state"),
            ("add_request_feedback", {"feedback": {"rating": 1}}, "Feedback can only be added to completed requests"),
        ]:
            said = refused(await client.call_tool(tool, {"request_id": request_id, **more}))
            assert said.startswith(words) and "cancelled" in said and "Call get_request" in said


def test_the_pages_new_block_is_the_usual_one_with_the_setting() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "compat-tools.md").read_text(encoding="utf-8")
    usual = json.loads((root / "claude_desktop_config.example.json").read_text(encoding="utf-8"))["mcpServers"]["hitl"]
    old, new = (json.loads(block)["mcpServers"]["hitl"] for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    assert old["command"] == "npx" and old["args"][0] == "-y" and set(old["env"]) == {"HITL_API_KEY"}
    assert new["args"] == usual["args"]
    assert {name: new["env"][name] for name in new["env"] if name not in old["env"]} == {"HITL_TOOLS": "compat"}
    rows = {row[0]: row[1] for row in re.findall(r"^\| `(\w+)` \| (.+?) \|", page, re.MULTILINE)}
    assert set(rows) == set(INPUTS)
    for name, (required, optional) in INPUTS.items():
        assert set(re.findall(r"`(\w+)`", rows[name])) == required | optional, name
    for changeable in CHANGEABLE:
        assert f"`{changeable}`" in page
