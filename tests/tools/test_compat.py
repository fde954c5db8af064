"""The seven tools of the official server: documented names, inputs, results and words, and what is added to them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.types import CallToolResult, Tool

from hitl_mcp.contract.media import Media
from hitl_mcp.contract.models import RequestChange
from hitl_mcp.contract.routes import KEYS
from hitl_mcp.contract.states import Status
from hitl_mcp.service.run import SERVE, running
from hitl_mcp.serving import mcp_over_http
from tests.mcp_http import over_http
from tests.served.team import Team, free_port, team
from tests.tools.test_asking import only_open, refused, reviewer_of
from tests.world import WAIT, Era, SimulatedClock, eventually, settings_for, settled, stdio_client

pytestmark = pytest.mark.anyio
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


# what is documented


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


# what is added


async def answered_meanwhile(
    folder: Path, client: Client, tool: str, arguments: dict[str, Any], value: Any
) -> tuple[dict[str, Any], list[str]]:
    """Call a tool that waits, answer the one open request, and collect what the call said meanwhile."""
    words: list[str] = []
    results: list[dict[str, Any]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        words.append(message or "")

    async def call() -> None:
        given = {**arguments, "wait_seconds": 60}
        results.append(told(await client.call_tool(tool, given, progress_callback=on_progress)))

    async def heard() -> bool:
        return bool(words)

    with anyio.fail_after(WAIT * 2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            reviewer = await reviewer_of(folder)
            request_id = await only_open(reviewer)
            await eventually(heard)
            await reviewer.answer(request_id, value)
    return results[0], words


@WAYS
async def test_a_call_can_wait_and_returns_what_the_person_answered(folder: Path, way: Way, era: Era) -> None:
    async with compat(folder, way, era) as client:
        made, words = await answered_meanwhile(folder, client, "create_request", ASK, "Approve")
        assert made["outcome"] == "answered" and made["approved"] is False
        assert made["data"]["status"] == "completed" and made["data"]["request"]["response_data"] == "Approve"
        assert made["data"]["request_id"] == made["data"]["request"]["id"]
        assert all("this call waits" in word for word in words)

        later = (await ask(client, request_text="Later?"))["data"]["request_id"]
        got, _ = await answered_meanwhile(folder, client, "get_request", {"request_id": later}, "Reject")
        assert got["data"]["request"]["response_data"] == "Reject" and got["outcome"] == "answered"


QUESTIONS: list[tuple[str, dict[str, Any], Any, Any, Any]] = [
    ("multi_select", {"options": ["a", "b"]}, ["a"], ["b", "a"], ["b", "a"]),
    ("rating", {"scale_max": 5}, 1, 4, 4),
    ("number", {"max_value": 10, "decimal_places": 1}, 1, 2.5, 2.5),
    ("text", {}, "none", "two\nlines", "two\nlines"),
    ("boolean", {}, False, True, True),
    ("editable_text", {"draft_text": "Dear"}, None, "Dear Ada", {"revised_text": "Dear Ada", "was_edited": True}),
]


@EACH
async def test_every_type_of_question_gets_its_answer_and_none_is_an_approval(folder: Path, way: Way) -> None:
    async with compat(folder, way) as client:
        for kind, config, default, given, expected in QUESTIONS:
            made = await ask(
                client, request_text=kind, response_type=kind, response_config=config, default_response=default
            )
            request_id = made["data"]["request_id"]
            await (await reviewer_of(folder)).answer(request_id, given)
            got = told(await client.call_tool("get_request", {"request_id": request_id}))
            assert got["data"]["request"]["response_data"] == expected
            assert got["outcome"] == "answered" and got["approved"] is False


@EACH
async def test_media_of_every_kind_are_taken(folder: Path, way: Way) -> None:
    async with compat(folder, way) as client:
        for kind, media in [
            ("video", {"video_url": "https://example.com/a.mp4"}),
            ("audio", {"audio_urls": ["https://example.com/a.mp3"]}),
            ("file", {"file_url": "https://example.com/a.pdf", "file_type": "application/pdf", "file_name": "a"}),
        ]:
            made = await ask(client, type=kind, request_text=kind, **media)
            assert made["data"]["type"] == kind and made["outcome"] == "pending"


async def test_a_default_never_passes_for_a_persons_answer(folder: Path) -> None:
    clock = SimulatedClock()
    port = free_port()
    settings = settings_for(folder, port=port, public_url=f"http://team.localhost:{port}", tools="compat")
    async with (
        running(settings, hosted_by=SERVE, clock=clock, mount=mcp_over_http(settings)) as services,
        mcp(served := Team(services, ""), await served.key()) as client,
    ):
        made = await ask(client, default_response="Approve", processing_type="time-sensitive", timeout_seconds=60)
        request_id = made["data"]["request_id"]
        clock.move(61)
        got = told(await client.call_tool("get_request", {"request_id": request_id}))
        entry = told(await client.call_tool("list_requests", {"status": "timeout"}))["requests"][0]
    request = got["data"]["request"]
    assert got["outcome"] == "timed_out" and got["approved"] is False and "No person chose it" in got["message"]
    assert "A default is never an approval" in got["message"]
    assert request["status"] == "timeout" and request["response_data"] is None and "decision" not in request
    assert entry["outcome"] == "timed_out" and entry["approved"] is False and entry["response_data"] is None


async def test_pages_say_whether_there_is_more(folder: Path) -> None:
    async with compat(folder, "stdio") as client:
        ids = [(await ask(client, request_text=f"{n}?", priority="low"))["data"]["request_id"] for n in range(3)]
        ask_page = {"limit": 2, "sort": "created_at_asc", "priority": "low", "loop_id": "Default"}
        first = told(await client.call_tool("list_requests", ask_page))
        assert first["summary"] == {"count": 2, "total": None, "has_more": True}
        second = told(await client.call_tool("list_requests", ask_page | {"offset": 2}))
        assert second["summary"] == {"count": 1, "total": 3, "has_more": False}
        assert [request["id"] for request in first["requests"] + second["requests"]] == ids
        beyond = told(await client.call_tool("list_requests", ask_page | {"offset": 9}))
        assert beyond["summary"] == {"count": 0, "total": None, "has_more": False}
        whole = told(await client.call_tool("list_requests", {"limit": 100, "status": "pending"}))
        assert whole["summary"] == {"count": 3, "total": 3, "has_more": False}
        assert told(await client.call_tool("list_requests", {"priority": "high"}))["requests"] == []


async def test_a_decision_that_was_listed_answers_no_later_question(folder: Path) -> None:
    """H2: what the list has shown counts as handed over; two minutes later the same words are a new question."""
    async with compat(folder, "stdio") as client:
        first = await ask(client)
        joined = await ask(client)
        assert joined["joined"] is True and joined["data"]["request_id"] == first["data"]["request_id"]
        await (await reviewer_of(folder)).answer(first["data"]["request_id"], "Approve")
        told(await client.call_tool("list_requests", {}))
        again = await ask(client)
        assert again["repeat"] is True and "do not act twice" in again["message"]


async def test_what_is_listed_of_others_stays_theirs(folder: Path) -> None:
    async with compat(folder, "stdio") as one, compat(folder, "stdio") as two:
        theirs = (await ask(one))["data"]["request_id"]
        await (await reviewer_of(folder)).answer(theirs, "Approve")
        assert told(await two.call_tool("list_requests", {}))["requests"][0]["id"] == theirs
        await settled()
        asked_again = await ask(one)
        assert asked_again["joined"] is True and asked_again["repeat"] is False


async def test_a_key_sees_and_touches_only_its_own_requests(folder: Path) -> None:
    async with (
        team(folder, tools="compat") as served,
        mcp(served, await served.key()) as one,
        mcp(served, await served.key()) as two,
    ):
        request_id = (await ask(one))["data"]["request_id"]
        for tool, more in [
            ("get_request", {}),
            ("cancel_request", {}),
            ("update_request", {"updates": {"priority": "low"}}),
            ("add_request_feedback", {"feedback": {"rating": 1}}),
        ]:
            said = refused(await two.call_tool(tool, {"request_id": request_id, **more}))
            assert "(status 404)" in said or "(status 403)" in said, said
            assert "list_requests" in said
        assert told(await two.call_tool("list_requests", {}))["requests"] == []
        got = told(await one.call_tool("get_request", {"request_id": request_id}))
        assert got["data"]["request"]["status"] == Status.PENDING


async def test_a_key_without_a_scope_is_told_what_it_lacks(folder: Path) -> None:
    async with team(folder, tools="compat") as served:
        body = {"name": "reads", "scopes": ["loops:read", "requests:read"]}
        key = str((await served.console("POST", KEYS, body))["key"])
        async with mcp(served, key) as client:
            said = refused(await client.call_tool("create_request", ASK))
            assert "(status 403)" in said and "list_loops" in said


async def test_a_used_up_budget_says_when_it_comes_back(folder: Path) -> None:
    async with compat(folder, "http", rate_limit=20) as client:
        said = ""
        for _ in range(40):
            result = await client.call_tool("get_request", {"request_id": "0" * 24})
            said = refused(result)
            if "(status 429)" in said:
                break
        assert "Rate limit exceeded" in said and "(status 429)" in said
        assert "The budget of calls comes back at 20" in said and "UTC" in said and "wait_seconds" in said


async def test_the_default_tools_are_served_when_nothing_is_said(folder: Path) -> None:
    async with team(folder) as served, mcp(served, await served.key()) as client:
        assert "request_human_approval" in await tools_of(client)
