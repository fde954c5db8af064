"""Two reviewers decide the same requests at once: each request has one decision, and whoever was second is told."""

from __future__ import annotations

from collections import Counter

import anyio
import pytest

from tests.service.stage import Place, Stage, stage
from tests.world import Reviewer

pytestmark = pytest.mark.anyio

AT_ONCE = 10


async def decided_twice(on: Stage, grace: Reviewer, count: int) -> tuple[int, Counter[int]]:
    """Let both decide `count` requests at once: the decisions in the event logs, and how often which status came back.

    Each agent's view is checked against the one decision of its log.
    """
    ids = [(await on.ask_approval(f"Delete {n}?")).request_id for n in range(count)]
    came: Counter[int] = Counter()
    queue = iter(ids)

    async def both() -> None:
        for request_id in queue:
            async with anyio.create_task_group() as tasks:

                async def decide(one: str, value: str, by: Reviewer) -> None:
                    came[(await on.respond(one, value, by=by)).status] += 1

                tasks.start_soon(decide, request_id, "approve", on.reviewer)
                tasks.start_soon(decide, request_id, "reject", grace)

    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(both)
    decisions = 0
    for request_id in ids:
        made = [entry["data"] for entry in await on.history(request_id) if entry["type"] == "completed"]
        decisions += len(made)
        assert (await on.agent.get_request(request_id)).response_data == made[0]["response_data"]
    return decisions, came


async def test_of_two_decisions_at_once_each_request_has_one(place: Place) -> None:
    async with stage(place) as on:
        grace = await on.second_person()
        decisions, came = await decided_twice(on, grace, 60)
    assert (decisions, came) == (60, Counter({200: 60, 409: 60}))
