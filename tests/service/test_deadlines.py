"""Deadlines against answers, whatever the clock does: sleep, an hour forward, an hour back (D9, H11, H22)."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import NewRequest, RequestFilter, ReviewRequest
from hitl_mcp.contract.states import Status
from hitl_mcp.errors import BadRequest, Conflict
from tests.service.stage import Place, Stage, details_of, stage
from tests.world import WAIT, SimulatedClock, eventually

pytestmark = pytest.mark.anyio

HOUR = 3_600


async def events_of(on: Stage, request_id: str) -> list[str]:
    """What happened to a request."""
    return [event["type"] for event in await on.history(request_id)]


async def swept(on: Stage, request_id: str) -> bool:
    """Whether the sweep has written the timeout."""
    return (await events_of(on, request_id))[-1] == "timeout"


async def test_the_last_millisecond_belongs_to_the_answer_and_the_deadline_to_the_timeout(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        start = clock.now
        in_time = await on.ask_approval(timeout_seconds=60)
        late = await on.ask_approval(timeout_seconds=60)
        clock.now = start + 59_999
        await on.reviewer.answer(in_time.request_id, "approve")
        clock.now = start + 60_000
        with pytest.raises(Conflict, match="deadline has passed") as refused:
            await on.reviewer.answer(late.request_id, "approve")
        assert details_of(refused.value) == {"status": "timeout"}
        with pytest.raises(Conflict, match="deadline has passed"):
            await on.reviewer.do(routes.REQUEST_CLAIM, late.request_id)
        assert (await on.agent.get_request(in_time.request_id)).decision == "approved"
        request = await on.agent.get_request(late.request_id)
        assert (request.status, request.response_data, request.decision) == (Status.TIMEOUT, None, None)


async def test_after_a_laptops_sleep_the_click_comes_too_late_even_before_the_sweep(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        created = await on.ask_approval(timeout_seconds=HOUR)
        await on.reviewer.do(routes.REQUEST_CLAIM, created.request_id)
        clock.move(8 * HOUR)
        await on.sign_in_again()
        with pytest.raises(Conflict, match="deadline has passed"):
            await on.reviewer.answer(created.request_id, "approve")
        with pytest.raises(Conflict, match="deadline has passed"):
            await on.reviewer.do(routes.REQUEST_CLAIM, created.request_id)
        request = await on.agent.get_request(created.request_id)
        assert (request.status, request.response_data, request.claimed_by) == (Status.TIMEOUT, None, None)
        await eventually(lambda: swept(on, created.request_id))
        assert await events_of(on, created.request_id) == ["created", "claimed", "timeout"]


async def test_overdue_is_shown_as_timeout_everywhere_before_any_sweep(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        created = await on.ask_approval(timeout_seconds=60)
        later = await on.ask_approval()
        clock.move(60)
        assert [request.id for request in await on.reviewer.open_requests()] == [later.request_id]
        assert (await on.agent.get_request(created.request_id)).status is Status.TIMEOUT
        for status, expected in ((Status.PENDING, later), (Status.TIMEOUT, created)):
            found = await on.agent.list_requests(RequestFilter(status=status))
            assert [(request.id, request.status) for request in found] == [(expected.request_id, status)]
        assert (await on.agent.list_loops(fresh=True))[0].pending_count == 1
        for refused in (
            on.agent.cancel_request(created.request_id),
            on.raw("PATCH", routes.REQUEST.format(request_id=created.request_id), {"timeout_seconds": HOUR}),
        ):
            with pytest.raises(BadRequest, match="current state: timeout"):
                await refused


async def test_nobody_decided_leaves_no_decision_and_the_default_beside_it(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        new = NewRequest(request_text="?", response_config={"options": ["Blue", "Green"]}, default_response="Blue")
        created = await on.agent.create_request(on.loop_id, new.model_copy(update={"timeout_seconds": 60}))
        clock.move(61)

        def closed(request: ReviewRequest) -> bool:
            assert (request.status, request.response_data, request.decision) == (Status.TIMEOUT, None, None)
            assert (request.default_response, request.response_by, request.response_at) == ("Blue", None, None)
            assert request.decided_revision is None
            return True

        assert closed(await on.agent.get_request(created.request_id))
        await eventually(lambda: swept(on, created.request_id))
        assert closed(await on.agent.get_request(created.request_id))
        entry = (await on.history(created.request_id))[-1]
        assert (entry["actor"], entry["seq"]) == ("system", 2)


async def test_an_hour_forward_closes_only_what_is_due(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        late, soon = await on.ask_approval(timeout_seconds=3 * HOUR), await on.ask_approval(timeout_seconds=1800)
        sooner = await on.ask_approval(timeout_seconds=2 * HOUR)
        await on.raw("PATCH", routes.REQUEST.format(request_id=sooner.request_id), {"timeout_seconds": 60})
        clock.move(HOUR)
        await eventually(lambda: swept(on, soon.request_id))
        assert await swept(on, sooner.request_id)
        await on.sign_in_again()
        assert (await on.reviewer.answer(late.request_id, "approve")).decision == "approved"


async def test_an_hour_back_neither_reopens_nor_stops_the_sweep(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        closed, waiting = await on.ask_approval(timeout_seconds=60), await on.ask_approval(timeout_seconds=120)
        clock.move(60)
        await eventually(lambda: swept(on, closed.request_id))
        clock.move(-HOUR)
        assert (await on.agent.get_request(closed.request_id)).status is Status.TIMEOUT
        with pytest.raises(Conflict, match="deadline has passed"):
            await on.reviewer.answer(closed.request_id, "approve")
        sooner = await on.ask_approval(timeout_seconds=60)
        clock.move(60)
        await eventually(lambda: swept(on, sooner.request_id))
        assert (await on.agent.get_request(waiting.request_id)).status is Status.PENDING
        clock.move(HOUR)
        await eventually(lambda: swept(on, waiting.request_id))


async def test_what_fell_due_while_no_service_ran_is_closed_when_one_starts(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        ids = [(await on.ask_approval(timeout_seconds=60)).request_id for _ in range(3)]
    clock.move(HOUR)
    async with stage(place, clock=clock) as on:
        for request_id in ids:
            assert await events_of(on, request_id) == ["created", "timeout"]


async def test_more_than_one_batch_is_swept(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        ids: list[str] = []

        async def ask() -> None:
            ids.append((await on.ask_approval(timeout_seconds=60)).request_id)

        async with anyio.create_task_group() as tasks:
            for _ in range(230):
                tasks.start_soon(ask)
        clock.move(60)
        for request_id in ids[:: len(ids) - 1]:
            await eventually(lambda request_id=request_id: swept(on, request_id))
        timeouts = await on.agent.list_requests(RequestFilter(status=Status.TIMEOUT, limit=100, offset=200))
        assert len(timeouts) == 30
        for request_id in ids:
            assert await swept(on, request_id)


def wait_path(request_id: str, seconds: float) -> str:
    """The address of the long poll."""
    return f"{routes.REQUEST_WAIT.format(request_id=request_id)}?timeout={seconds}"


async def test_the_long_poll_says_pending_when_nothing_happens(place: Place) -> None:
    async with stage(place) as on:
        created = await on.ask_approval()
        answer = await on.wire.send("GET", wait_path(created.request_id, 0))
        assert (answer.status, answer.body["error"], answer.data["pending"]) == (408, False, True)
        assert (answer.data["status"], answer.data["request"]["id"]) == ("pending", created.request_id)
        again = await on.wire.send("GET", wait_path(created.request_id, 0.05))
        assert (again.status, again.data["pending"]) == (408, True)


async def waiting(on: Stage, request_id: str, answers: list[Any]) -> None:
    """A long poll that may last longer than a test."""
    answers.append(await on.raw("GET", wait_path(request_id, 9)))


async def test_the_long_poll_returns_at_once_when_it_is_or_becomes_closed(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        decided, cancelled = await on.ask_approval(), await on.ask_approval()
        overdue, untouched = await on.ask_approval(timeout_seconds=60), await on.ask_approval()
        answers: list[dict[str, Any]] = []
        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                for created in (decided, cancelled, overdue):
                    tasks.start_soon(waiting, on, created.request_id, answers)
                await on.reviewer.answer(decided.request_id, "reject")
                await on.agent.cancel_request(cancelled.request_id)
                clock.move(60)
        assert sorted(answer["request"]["status"] for answer in answers) == ["cancelled", "completed", "timeout"]
        assert "pending" not in answers[0]
        closed = await on.wire.send("GET", wait_path(decided.request_id, 300))
        assert (closed.status, closed.data["response_data"]) == (200, "reject")
        assert (await on.wire.send("GET", wait_path(untouched.request_id, 0))).status == 408


async def test_a_claim_or_a_change_does_not_end_the_long_poll(place: Place) -> None:
    async with stage(place) as on:
        created = await on.ask_approval()
        answers: list[dict[str, Any]] = []
        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(waiting, on, created.request_id, answers)
                await on.reviewer.do(routes.REQUEST_CLAIM, created.request_id)
                await on.raw("PATCH", routes.REQUEST.format(request_id=created.request_id), {"priority": "high"})
                await on.reviewer.answer(created.request_id, "approve", revision=2)
        assert [answer["request"]["status"] for answer in answers] == ["completed"]
