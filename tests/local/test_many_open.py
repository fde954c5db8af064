"""A service that starts with a thousand open requests, some of them overdue (D9, H22)."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import NewRequest, RequestFilter, ReviewRequest
from hitl_mcp.contract.states import Kind, Status
from tests.local.machine import (
    check,
    database,
    events_of,
    set_deadline,
    start_service,
    stop_service,
    terminal,
    used,
    world_of,
)
from tests.world import World, stdio_client, world

pytestmark = pytest.mark.anyio

OPEN, OVERDUE = 500, 150
"""More than one page, and more than one batch, of each."""


async def ask_a_thousand(folder: Path) -> list[str]:
    """Every fifth one is a question with a default of its own; the ids in order."""
    ids: dict[int, str] = {}
    async with world(folder) as here:

        async def ask_some(first: int) -> None:
            for number in range(first, OPEN, 10):
                new = NewRequest(kind=Kind.APPROVAL, request_text=f"Question {number}")
                if number % 5 == 0:
                    new = NewRequest.model_validate(
                        {
                            "request_text": f"Question {number}",
                            "response_type": "number",
                            "response_config": {"min_value": 0, "max_value": 5_000},
                            "default_response": number,
                        }
                    )
                ids[number] = (await here.agent.create_request(here.loop_id, new)).request_id

        async with anyio.create_task_group() as tasks:
            for first in range(10):
                tasks.start_soon(ask_some, first)
    return [ids[number] for number in range(OPEN)]


async def test_at_start_the_overdue_are_closed_with_their_default_and_the_rest_can_be_answered(folder: Path) -> None:
    ids = await ask_a_thousand(folder)
    overdue, rest = ids[:OVERDUE], ids[OVERDUE:]
    set_deadline(folder, overdue, seconds_from_now=-3_600)

    await start_service(folder)
    assert f"Open requests: {len(rest)};" in (await terminal(folder, "status")).out
    async with world_of(folder) as here:
        timed_out = await listed(here, Status.TIMEOUT)
        assert {request.id for request in timed_out} == set(overdue)
        for request in timed_out:
            number = int(request.request_text.removeprefix("Question "))
            assert request.default_response == (number if number % 5 == 0 else "reject")
            assert (request.response_data, request.response_by, request.decision) == (None, None, None)
        assert {request.id for request in await listed(here, Status.PENDING)} == set(rest)
        for request_id in (overdue[0], overdue[101], overdue[-1]):
            assert await events_of(here, request_id) == ["created", "timeout"]

        for number in range(OVERDUE, OPEN, 37):
            value = 42 if number % 5 == 0 else "approve"
            answered = await here.reviewer.answer(ids[number], value)
            assert (answered.status, answered.response_data) == (Status.COMPLETED, value)
        data = await here.raw("GET", f"{routes.REVIEWS}?limit=200", key=here.reviewer.session)
        assert not {item["id"] for item in data["requests"]} & set(overdue), "nobody is shown what is over"

    async with stdio_client(folder) as client:
        approval, question = await check(client, overdue[1]), await check(client, overdue[5])
        assert (approval["outcome"], approval["approved"], approval["answer"]) == ("timed_out", False, None)
        assert (approval["default_response"], question["default_response"]) == ("reject", 5)
        assert (await check(client, ids[OVERDUE + 37]))["outcome"] == "approved"


async def listed(here: World, status: Status) -> list[ReviewRequest]:
    """Every page of the agent's list."""
    found: list[ReviewRequest] = []
    while True:
        page = await here.agent.list_requests(RequestFilter(status=status, limit=100, offset=len(found)))
        found.extend(page)
        if len(page) < 100:
            return found


async def test_each_overdue_request_is_closed_once_however_often_the_service_starts(folder: Path) -> None:
    request_id = await used(folder)
    for _ in range(2):
        set_deadline(folder, [request_id], seconds_from_now=-1)
        await start_service(folder)
        await stop_service(folder)
    with database(folder) as connection:
        assert [row["type"] for row in connection.execute("SELECT type FROM events ORDER BY position")] == [
            "created", "timeout",
        ]  # fmt: skip
