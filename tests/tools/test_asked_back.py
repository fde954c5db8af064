"""A reviewer asks the agent something: the call ends, the agent answers, and waits again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.types import CallToolResult

from hitl_mcp.contract import routes
from hitl_mcp.sdk.local import ask
from tests.tools.test_asking import only_open, refused, reviewer_of, told
from tests.world import WAIT, Era, stdio_client

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_blocked_call_ends_with_the_question_and_the_agents_answer_reaches_the_reviewer(
    folder: Path, era: Era
) -> None:
    async with stdio_client(folder, era=era) as client:
        results: list[CallToolResult] = []
        await client.call_tool("list_loops", {})
        reviewer = await reviewer_of(folder)

        async def call() -> None:
            arguments = {"action": "Restart the database", "wait_seconds": 60}
            results.append(await client.call_tool("request_human_approval", arguments))

        with anyio.fail_after(WAIT * 2):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call)
                path = routes.REQUEST_ASK.format(request_id=await only_open(reviewer))
                await ask(reviewer.session, "POST", path, {"question": "Which of the two?"})
            asked = told(results[0])
            assert (asked["outcome"], asked["approved"]) == ("question", False)
            assert asked["reviewer_question"] == "Which of the two?"
            assert "Which of the two?" in asked["message"] and "update_request" in asked["message"]
            request_id = asked["request_id"]
            again: dict[str, Any] = {"request_id": request_id, "wait_seconds": 60}
            assert told(await client.call_tool("check_request", again))["outcome"] == "question"
            nothing = await client.call_tool("update_request", {"request_id": request_id})
            assert "Nothing to change" in refused(nothing)
            said = {"request_id": request_id, "answer": "db1", "context": {"host": "db1"}}
            changed = told(await client.call_tool("update_request", said))
            assert changed["outcome"] == "pending"
            shown = await reviewer.open_requests()
            assert shown[0].reviewer_question is not None
            assert (shown[0].reviewer_question.answer, shown[0].context) == ("db1", {"host": "db1"})
            twice = await client.call_tool("update_request", {"request_id": request_id, "answer": "db2"})
            assert "no question" in refused(twice)
            await reviewer.answer(request_id, "approve", revision=2)
            assert told(await client.call_tool("check_request", again))["outcome"] == "approved"
