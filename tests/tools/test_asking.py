"""The tools that ask, over every transport, in both protocol eras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import CallToolResult

from hitl_mcp.contract import routes
from tests.mcp_http import Transport, mcp_client
from tests.world import WAIT, Era, Reviewer, eventually, running_service, sign_in, stdio_client

pytestmark = pytest.mark.anyio
WAYS = pytest.mark.parametrize(
    ("transport", "era"), [(transport, era) for transport in ("stdio", "http", "sse") for era in ("auto", "legacy")]
)
TRANSPORTS = pytest.mark.parametrize("transport", ["stdio", "http", "sse"])


def told(result: CallToolResult) -> dict[str, Any]:
    """The structured result of a call that was not an error, whose text is its sentence."""
    assert not result.is_error, result.content
    structured = result.structured_content
    assert structured is not None
    assert getattr(result.content[0], "text", None) == structured["message"]
    return structured


def refused(result: CallToolResult) -> str:
    """The words of a tool error."""
    assert result.is_error
    return str(getattr(result.content[0], "text", ""))


async def reviewer_of(folder: Path) -> Reviewer:
    """The machine's user, signed in."""
    return await sign_in(await running_service(folder))


async def only_open(reviewer: Reviewer) -> str:
    """The id of the one request that waits."""

    async def look() -> str | None:
        waiting = await reviewer.open_requests()
        return waiting[0].id if len(waiting) == 1 else None

    return await eventually(look)


async def ask_and_answer(
    folder: Path, client: Client, tool: str, arguments: dict[str, Any], value: Any, comment: str = ""
) -> CallToolResult:
    """Call a blocking tool and answer it meanwhile."""
    results: list[CallToolResult] = []

    async def call() -> None:
        results.append(await client.call_tool(tool, {**arguments, "wait_seconds": 60}))

    with anyio.fail_after(WAIT * 2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            reviewer = await reviewer_of(folder)
            await reviewer.answer(await only_open(reviewer), value, comment=comment)
    return results[0]


@WAYS
async def test_an_approval_reaches_the_agent_with_who_when_and_how(
    folder: Path, transport: Transport, era: Era
) -> None:
    async with mcp_client(folder, transport, era) as client:
        result = await ask_and_answer(
            folder, client, "request_human_approval",
            {"action": "Restart it", "reason": "Slow", "details": "`systemctl restart`", "context": {"host": "db1"}},
            "approve", "At night please",
        )  # fmt: skip
    decided = told(result)
    assert decided["outcome"] == "approved" and decided["approved"] is True
    assert decided["reviewer_comment"] == "At night please" and '"At night please"' in decided["message"]
    assert decided["decided_by"] and decided["decided_at"] and decided["channel"] == "terminal"
    assert decided["assurance"] == "same_machine_user" and decided["decided_revision"] == 1


@WAYS
@pytest.mark.parametrize(("answer", "outcome"), [("reject", "rejected"), ("needs_changes", "needs_changes")])
async def test_a_no_is_a_result_and_not_an_approval(
    folder: Path, transport: Transport, era: Era, answer: str, outcome: str
) -> None:
    async with mcp_client(folder, transport, era) as client:
        result = await ask_and_answer(folder, client, "request_human_approval", {"action": "Drop it"}, answer)
    decided = told(result)
    assert decided["outcome"] == outcome and decided["approved"] is False


QUESTIONS: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("single_select", {"options": ["Blue", "Dark Green"]}, "dark green", "Dark Green"),
    ("multi_select", {"options": ["a", "b", "c"], "max_selections": 2}, ["c", "a"], ["c", "a"]),
    ("rating", {"scale_max": 5}, 4, 4),
    ("rating", {"min": 0, "max": 1, "step": 0.25}, 0.75, 0.75),
    ("number", {"max_value": 10, "decimal_places": 1}, 2.5, 2.5),
    ("text", {}, "two\nlines", "two\nlines"),
    ("boolean", {"true_label": "Ship", "false_label": "Wait"}, False, False),
    ("editable_text", {"draft_text": "Dear"}, "Dear Ada", {"revised_text": "Dear Ada", "was_edited": True}),
]


@TRANSPORTS
async def test_every_type_of_question_gets_its_answer(folder: Path, transport: Transport) -> None:
    async with mcp_client(folder, transport) as client:
        for kind, config, given, expected in QUESTIONS:
            arguments = {"question": f"{kind} {config}?", "response_type": kind, "response_config": config}
            decided = told(await ask_and_answer(folder, client, "ask_human", arguments, given))
            assert decided["outcome"] == "answered" and decided["approved"] is False
            assert decided["answer"] == expected


@WAYS
async def test_a_wait_that_ends_gives_a_handle_and_the_next_step(folder: Path, transport: Transport, era: Era) -> None:
    async with mcp_client(folder, transport, era) as client:
        handle = told(await client.call_tool("request_human_approval", {"action": "Deploy", "wait_seconds": 0}))
        assert handle["outcome"] == "pending" and handle["approved"] is False
        assert "check_request" in handle["message"] and handle["request_id"] in handle["message"]
        assert handle["inbox"].startswith("http://localhost:")
        reviewer = await reviewer_of(folder)
        await reviewer.answer(handle["request_id"], "approve")
        decided = told(await client.call_tool("check_request", {"request_id": handle["request_id"]}))
        assert decided["outcome"] == "approved"


@WAYS
async def test_progress_says_in_words_what_is_waited_for(folder: Path, transport: Transport, era: Era) -> None:
    words: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        words.append(message or "")

    async with mcp_client(folder, transport, era) as client:
        arguments = {"action": "Deploy", "wait_seconds": 60}
        with anyio.fail_after(WAIT * 2):
            async with anyio.create_task_group() as tasks:

                async def call() -> None:
                    await client.call_tool("request_human_approval", arguments, progress_callback=on_progress)

                tasks.start_soon(call)
                reviewer = await reviewer_of(folder)
                request_id = await only_open(reviewer)
                claimed = await reviewer.do(routes.REQUEST_CLAIM, request_id)
                name = claimed.claimed_by_user.name if claimed.claimed_by_user else ""

                async def told_who() -> bool:
                    return any(f"{name} is looking at it" in word for word in words)

                await eventually(told_who)
                await reviewer.answer(request_id, "reject")
    assert all("this call waits" in word for word in words)


async def test_the_same_question_is_asked_once_while_it_is_open(folder: Path) -> None:
    async with stdio_client(folder) as client:
        arguments = {"action": "Deploy", "wait_seconds": 0}
        first = told(await client.call_tool("request_human_approval", arguments))
        again = told(await client.call_tool("request_human_approval", {**arguments, "wait_seconds": 0.1}))
        assert again["request_id"] == first["request_id"] and again["joined"] is True
        other = told(await client.call_tool("request_human_approval", {**arguments, "reason": "Now"}))
        assert other["request_id"] != first["request_id"]


async def test_a_decision_handed_over_is_marked_as_repeated_when_asked_again(folder: Path) -> None:
    async with stdio_client(folder) as client:
        await ask_and_answer(folder, client, "request_human_approval", {"action": "Deploy"}, "approve")
        again = told(await client.call_tool("request_human_approval", {"action": "Deploy", "wait_seconds": 0}))
        assert again["repeat"] is True and "do not act twice" in again["message"]


async def test_a_call_given_up_withdraws_nothing_and_its_decision_is_not_lost(folder: Path) -> None:
    async with stdio_client(folder) as client:
        with anyio.CancelScope() as given_up:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.call_tool, "request_human_approval", {"action": "Deploy", "wait_seconds": 60})
                await only_open(await reviewer_of(folder))
                given_up.cancel()
        reviewer = await reviewer_of(folder)
        request_id = await only_open(reviewer)
        await reviewer.answer(request_id, "approve")
        listed = await client.call_tool("list_requests", {})
        assert listed.structured_content is not None
        entry = listed.structured_content["requests"][0]
        assert entry["request_id"] == request_id and entry["collected"] is False
        again = told(await client.call_tool("request_human_approval", {"action": "Deploy", "wait_seconds": 0}))
        assert again["request_id"] == request_id and again["outcome"] == "approved" and again["joined"] is True


async def test_another_process_never_joins_this_ones_question(folder: Path) -> None:
    async with stdio_client(folder) as one, stdio_client(folder) as two:
        arguments = {"action": "Deploy", "wait_seconds": 0}
        first = told(await one.call_tool("request_human_approval", arguments))
        second = told(await two.call_tool("request_human_approval", arguments))
        assert first["request_id"] != second["request_id"]
        assert "1 other question waits" in second["message"]
