"""The budget of 100 calls an hour: what waiting uses, what it leaves, and what it believes (H31)."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from hitl_mcp.contract.outcome import Outcome
from hitl_mcp.contract.states import Priority
from hitl_mcp.errors import TooManyRequests
from hitl_mcp.sdk import calls
from hitl_mcp.sdk.cloud import schedule
from hitl_mcp.sdk.cloud.budget import HOUR, RESERVE, Budget, Facts, read_facts
from hitl_mcp.sdk.cloud.schedule import Waiter
from tests.cloud.simulated import Manners
from tests.cloud.stage import START, now, outcome, simulated_time, stage, worst_hour

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return simulated_time()


@pytest.mark.parametrize("reset", ["right", "past", "milliseconds", "missing"])
@pytest.mark.parametrize("window", ["top_of_hour", "from_first_call"])
async def test_others_may_spend_seventy_an_hour_and_creates_still_go_out(
    tmp_path: Path, reset: Any, window: Any
) -> None:
    scene = stage(tmp_path, Manners(reset=reset, window=window))
    least, begin = 100, 0.0
    async with scene.backend() as backend, anyio.create_task_group() as tasks:

        async def others() -> None:
            while True:
                await anyio.sleep(HOUR / 70)
                scene.cloud.spend(scene.key, 1)

        tasks.start_soon(others)
        request = (await scene.approval(backend)).request
        with backend.watching(request):
            for _ in range(12):
                await anyio.sleep(900)
                least = min(least, scene.cloud.usage(scene.key).remaining)
                await scene.approval(backend)
            scene.cloud.answer(request.id, "Approve")
            begin = now()
        assert await outcome(backend, request) is Outcome.APPROVED
        tasks.cancel_scope.cancel()
    assert now() - begin < 2_400
    assert worst_hour(scene.looks()) <= 60
    assert least > 0
    assert all(call.status != 429 for call in scene.cloud.calls)


async def test_a_wait_outlives_a_used_up_budget_and_leaves_the_reserve_alone(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        request = (await scene.approval(backend)).request
        scene.cloud.spend(scene.key, 79)  # the reserve is left
        scene.cloud.answer(request.id, "Approve", at=now() + 100)
        with backend.watching(request):
            await anyio.sleep(3_000)
            assert scene.cloud.usage(scene.key).remaining >= RESERVE - 1  # the look that found it out
            await scene.approval(backend)
        assert await outcome(backend, request) is Outcome.APPROVED
        assert now() - START < HOUR + 150


async def test_looking_often_costs_no_more_than_the_schedule_allows(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        request = (await scene.approval(backend)).request
        for _ in range(1_440):
            await anyio.sleep(5)
            assert (await backend.look(request.id)).status.is_open
        scene.cloud.answer(request.id, "Approve")
        await anyio.sleep(125)
        assert (await backend.look(request.id)).decision == "approved"
    assert worst_hour(scene.looks()) <= 60


async def test_a_look_at_something_unknown_is_refused_with_the_time_when_nothing_is_left(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        name = scene.cloud.ask(scene.loop, key=scene.key)
        await backend.send(calls.list_loops())
        scene.cloud.spend(scene.key, 85)
        await backend.send(calls.list_loops())
        with pytest.raises(TooManyRequests) as refused:
            await backend.look(name)
        assert refused.value.reset_at is not None
        assert refused.value.reset_at.timestamp() == START + HOUR


def test_the_promise_holds_whatever_is_waited_for() -> None:
    """60 looks in any hour, and never more than `PACE` without one, over many random days."""
    for seed in range(15):
        chance = random.Random(seed)
        looks: list[float] = []
        waiting: list[Waiter] = []
        moment, end = START, START + 8 * HOUR
        while moment < end:
            if chance.random() < 0.05 or not waiting:
                life = chance.choice([60.0, 300.0, HOUR, 30 * 86_400.0])
                new = Waiter(str(moment), moment, chance.choice(list(Priority)), moment + life, moment)
                waiting = [*waiting[-99:], new]
            next_look = schedule.due(waiting, looks, Budget(), moment)
            assert next_look is not None
            assert not looks or next_look <= looks[-1] + schedule.PACE + 1
            moment = max(moment + 0.01, min(next_look, moment + 30))
            if moment >= next_look:
                looks.append(moment)
                looks = [look for look in looks if look > moment - 2 * HOUR]
                waiting = [replace(one, seen=moment) for one in waiting]
                assert sum(1 for look in looks if look > moment - HOUR) <= schedule.MOST


def test_the_urgent_and_the_young_are_looked_at_first() -> None:
    young = Waiter("a", START, Priority.MEDIUM, START + HOUR, START + 60)
    assert schedule.wish(replace(young, priority=Priority.CRITICAL)) < schedule.wish(young)
    assert schedule.wish(young) < schedule.wish(replace(young, priority=Priority.LOW))
    old = replace(young, created=START - HOUR, seen=START + 60)
    assert schedule.wish(young) < schedule.wish(old)
    ending = replace(old, deadline=START + 70)
    assert START + 60 < schedule.wish(ending) < schedule.wish(old)
    at_the_end = replace(old, deadline=START + 62)
    assert schedule.wish(at_the_end) == START + 63


HEADERS = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "42"}


@pytest.mark.parametrize(
    ("reset", "resets_at", "exact"),
    [
        (str(int(START + 600)), START + 600, True),
        (str(int((START + 600) * 1000)), START + 600, True),
        (str(int(START - 600)), START + HOUR, False),
        (str(int(START + 7_200)), START + HOUR, False),
        ("soon", START + HOUR, False),
        ("nan", START + HOUR, False),
        ("", START + HOUR, False),
    ],
)
def test_a_reset_is_believed_only_within_the_hour(reset: str, resets_at: float, exact: bool) -> None:
    facts = read_facts(200, {**HEADERS, "X-RateLimit-Reset": reset}, b"{}", START)
    assert facts == Facts(100, 42, resets_at, exact, START)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":true,"msg":"m","data":{"usage_count":100,"reset_at":"2026-03-02T00:10:00Z"}}',
        b'{"error":true,"msg":"m","usage_count":100,"reset_at":1772410200}',
        b'{"error":true,"msg":"m","usage_count":100,"reset_at":"1772410200"}',
        b'{"error":true,"msg":"m","data":{"retry_after":600}}',
    ],
)
def test_a_429_tells_its_end_under_data_or_at_top_level(body: bytes) -> None:
    assert read_facts(429, {}, body, START) == Facts(100, 0, START + 600, True, START)


def test_a_429_that_is_no_json_ends_in_an_hour_at_the_latest() -> None:
    assert read_facts(429, {}, b"<html>", START) == Facts(100, 0, START + HOUR, False, START)
    assert read_facts(429, {"Retry-After": "30"}, b"<html>", START) == Facts(100, 0, START + 30, True, START)
    assert read_facts(200, {}, b"{}", START) is None


def test_what_others_spend_is_left_to_them() -> None:
    facts = Facts(100, 90, START + HOUR, True, START)
    alone, shared = Budget(facts, own=0, foreign=0), Budget(facts, own=0, foreign=60)
    assert schedule.pace(alone, START) == schedule.PACE
    assert schedule.pace(shared, START) > 1.5 * schedule.PACE
    gone = Budget(facts, own=70)
    assert gone.opens(START) == START + HOUR
    assert gone.gone_until(START) is None
    assert Budget(facts, own=90).gone_until(START) == START + HOUR
    assert Budget(replace(facts, exact=False), own=90).gone_until(START) is None
