"""An idempotency key asks the same question once and is no pass for another question (D12, H1, H2, H3)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import anyio
import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.answers import ResponseType
from hitl_mcp.contract.models import Created, NewRequest, RequestFilter
from hitl_mcp.contract.states import Kind, Priority, Status
from hitl_mcp.errors import BadRequest, Conflict
from tests.service.stage import Place, Stage, details_of, stage
from tests.world import SimulatedClock

pytestmark = pytest.mark.anyio

HOUR = 3_600
COLOURS: dict[str, Any] = {"options": ["Blue", "Green"]}
QUESTION = NewRequest(request_text="Which colour?", response_config=COLOURS, default_response="Blue")
CHANGED_ALONE: dict[str, NewRequest] = {
    "text": NewRequest(request_text="Which color?", response_config=COLOURS, default_response="Blue"),
    "option": NewRequest(
        request_text="Which colour?", response_config={"options": ["Blue", "Red"]}, default_response="Blue"
    ),
    "label": NewRequest(
        request_text="Which colour?",
        response_config={"options": [{"value": "Blue", "label": "Navy"}, "Green"]},
        default_response="Blue",
    ),
    "default": NewRequest(request_text="Which colour?", response_config=COLOURS, default_response="Green"),
    "no default": NewRequest(request_text="Which colour?", response_config=COLOURS),
    "context": NewRequest(
        request_text="Which colour?", response_config=COLOURS, default_response="Blue", context={"host": "db1"}
    ),
    "response type": NewRequest(
        request_text="Which colour?",
        response_type=ResponseType.MULTI_SELECT,
        response_config=COLOURS,
        default_response="Blue",
    ),
    "priority": NewRequest(
        request_text="Which colour?", response_config=COLOURS, default_response="Blue", priority=Priority.CRITICAL
    ),
    "kind": NewRequest(kind=Kind.APPROVAL, request_text="Which colour?"),
}


async def decided(on: Stage, new: NewRequest = QUESTION, value: Any = "Green") -> Created:
    """A question asked with the key K, and answered."""
    created = await on.ask_again(new, "K")
    await on.reviewer.answer(created.request_id, value)
    return created


async def test_the_same_question_joins_while_it_is_open(place: Place) -> None:
    async with stage(place) as on:
        first = await on.ask_again(QUESTION, "K")
        second = await on.ask_again(QUESTION, "K")
        await on.reviewer.do(routes.REQUEST_CLAIM, first.request_id)
        claimed = await on.ask_again(QUESTION, "K")
        assert not first.joined
        assert (second.request_id, second.joined, second.repeat) == (first.request_id, True, False)
        assert (claimed.request_id, claimed.status) == (first.request_id, Status.CLAIMED)
        assert len(await on.agent.list_requests(RequestFilter())) == 1


async def test_joining_is_said_on_the_wire(place: Place) -> None:
    async with stage(place) as on:
        path, body = routes.LOOP_REQUESTS.format(loop_id=on.loop_id), QUESTION.model_dump(mode="json")
        first = await on.wire.send("POST", path, body, headers={routes.IDEMPOTENCY_KEY: "K"})
        second = await on.wire.send("POST", path, body, headers={routes.IDEMPOTENCY_KEY: "K"})
        assert (first.status, first.msg) == (201, "Request created and broadcasted successfully")
        assert (second.status, second.msg) == (200, "The same question was already asked")
        assert (first.data["joined"], second.data["joined"]) == (False, True)


async def test_another_question_with_the_key_is_refused_and_never_gets_the_old_result(place: Place) -> None:
    async with stage(place) as on:
        first = await on.ask_again(QUESTION, "K")

        async def all_are_refused() -> None:
            for name, changed in CHANGED_ALONE.items():
                with pytest.raises(Conflict) as refused:
                    await on.ask_again(changed, "K")
                assert details_of(refused.value)["request_id"] == first.request_id, name
                assert details_of(refused.value).keys() == {"request_id", "status"}, name

        await all_are_refused()
        await on.reviewer.answer(first.request_id, "Green")
        await all_are_refused()
        await on.agent.deliver_request(first.request_id)
        await all_are_refused()
        assert len(await on.agent.list_requests(RequestFilter())) == 1


async def test_the_same_question_in_another_loop_is_another_question(place: Place) -> None:
    async with stage(place) as on:
        first = await on.ask_again(QUESTION, "K")
        with pytest.raises(Conflict, match=first.request_id):
            await on.agent.create_request(await on.second_loop(), QUESTION, idempotency_key="K")


async def test_a_refused_use_of_a_key_changes_nothing_for_its_own_question(place: Place) -> None:
    async with stage(place) as on:
        first = await on.ask_again(QUESTION, "K")
        with pytest.raises(Conflict):
            await on.ask_again(CHANGED_ALONE["text"], "K")
        assert (await on.ask_again(QUESTION, "K")).request_id == first.request_id


async def test_a_question_that_was_changed_after_it_was_asked_answers_no_longer_for_the_first_words(
    place: Place,
) -> None:
    """The key stood for "drop the table"; what the person approved was "list the tables"."""
    async with stage(place) as on:
        drop = NewRequest(kind=Kind.APPROVAL, request_text="May I drop the table?")
        first = await on.ask_again(drop, "K")
        path = routes.REQUEST.format(request_id=first.request_id)
        await on.wire.send("PATCH", path, {"request_text": "May I list the tables?"})
        with pytest.raises(Conflict, match=first.request_id):
            await on.ask_again(drop, "K")
        await on.reviewer.answer(first.request_id, "approve", revision=2)
        with pytest.raises(Conflict, match=first.request_id):
            await on.ask_again(drop, "K")


async def test_the_name_of_the_client_is_no_part_of_the_question(place: Place) -> None:
    async with stage(place) as on:
        first = await on.ask_again(QUESTION, "K")
        on.agent.client_name = "another window"
        assert (await on.ask_again(QUESTION, "K")).request_id == first.request_id


async def test_saying_a_default_in_full_is_the_same_question(place: Place) -> None:
    async with stage(place) as on:
        first = await on.ask_again(QUESTION, "K")
        again = NewRequest(**QUESTION.model_dump(exclude={"priority"}), priority=Priority.MEDIUM)
        assert (await on.ask_again(again, "K")).request_id == first.request_id


async def test_a_decision_nobody_collected_answers_for_an_hour(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        first = await decided(on)
        clock.move(HOUR - 1)
        missed = await on.ask_again(QUESTION, "K")
        assert (missed.request_id, missed.joined, missed.repeat) == (first.request_id, True, False)
        assert (missed.status, missed.request.response_data) == (Status.COMPLETED, "Green")
        clock.move(2)
        asked = await on.ask_again(QUESTION, "K")
        assert asked.request_id != first.request_id
        assert (asked.joined, asked.status) == (False, Status.PENDING)
        assert (await on.agent.get_request(first.request_id)).response_data == "Green"


async def test_the_hour_counts_from_the_decision_not_from_the_question(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        first = await on.ask_again(QUESTION, "K")
        clock.move(5 * HOUR)
        await on.sign_in_again()
        await on.reviewer.answer(first.request_id, "Green")
        clock.move(HOUR - 1)
        assert (await on.ask_again(QUESTION, "K")).request_id == first.request_id


async def test_a_delivered_decision_is_repeated_for_two_minutes_and_says_so(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        first = await decided(on)
        await on.agent.deliver_request(first.request_id)
        start = clock.now
        for seconds in (0, 1, 119, 119.999):
            clock.now = start + int(seconds * 1000)
            again = await on.ask_again(QUESTION, "K")
            assert (again.request_id, again.joined, again.repeat) == (first.request_id, True, True), seconds
            assert again.request.response_data == "Green"


async def test_two_minutes_after_delivery_the_same_words_are_a_new_question(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        for seconds in (120, 121):
            first = await decided(on)
            await on.agent.deliver_request(first.request_id)
            clock.move(seconds)
            asked = await on.ask_again(QUESTION, "K")
            assert asked.request_id != first.request_id, seconds
            assert (asked.joined, asked.repeat, asked.status) == (False, False, Status.PENDING)
            assert asked.request.response_data is None
            assert (await on.ask_again(QUESTION, "K")).request_id == asked.request_id
            await on.agent.cancel_request(asked.request_id)
            await on.agent.deliver_request(asked.request_id)
            clock.move(120)


async def test_a_clock_set_back_makes_no_old_decision_answer_again(place: Place) -> None:
    """In doubt a person is asked twice; nothing is approved twice."""
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        delivered = await decided(on)
        await on.agent.deliver_request(delivered.request_id)
        uncollected = await on.agent.create_request(on.loop_id, QUESTION, idempotency_key="K2")
        await on.reviewer.answer(uncollected.request_id, "Green")
        clock.move(-2 * HOUR)
        assert not (await on.ask_again(QUESTION, "K")).joined
        assert not (await on.ask_again(QUESTION, "K2")).joined


async def test_delivering_twice_counts_from_the_first_time(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        first = await decided(on)
        await on.agent.deliver_request(first.request_id)
        at = (await on.agent.get_request(first.request_id)).first_delivered_at
        clock.move(119)
        await on.agent.deliver_request(first.request_id)
        assert (await on.agent.get_request(first.request_id)).first_delivered_at == at
        clock.move(1)
        assert (await on.ask_again(QUESTION, "K")).request_id != first.request_id


async def test_an_open_request_cannot_be_called_delivered(place: Place) -> None:
    async with stage(place) as on:
        first = await on.ask_again(QUESTION, "K")
        with pytest.raises(BadRequest, match="closed"):
            await on.agent.deliver_request(first.request_id)
        await on.reviewer.answer(first.request_id, "Green")
        assert not (await on.ask_again(QUESTION, "K")).repeat


async def test_a_timeout_that_was_delivered_before_the_sweep_is_a_delivery(place: Place) -> None:
    """What a read shows as closed can be collected, so that two minutes later the question is asked again."""
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        soon = QUESTION.model_copy(update={"timeout_seconds": 60})
        first = await on.ask_again(soon, "K")
        clock.move(60)
        path = routes.REQUEST_DELIVERED.format(request_id=first.request_id)
        delivered = await on.wire.send("POST", path)
        assert delivered.status == 200
        assert delivered.data["first_delivered_at"] is not None
        assert (await on.ask_again(soon, "K")).repeat
        clock.move(120)
        assert not (await on.ask_again(soon, "K")).joined


async def test_other_keys_and_no_key_never_merge(place: Place) -> None:
    async with stage(place) as on:
        ids = {
            (await on.ask_again(QUESTION, "K")).request_id,
            (await on.ask_again(QUESTION, "k")).request_id,
            (await on.ask_again(QUESTION, "K2")).request_id,
            (await on.agent.create_request(on.loop_id, QUESTION)).request_id,
            (await on.agent.create_request(on.loop_id, QUESTION)).request_id,
        }
        assert len(ids) == 5


async def test_a_key_that_is_empty_or_too_long_is_refused(place: Place) -> None:
    async with stage(place) as on:
        path, body = routes.LOOP_REQUESTS.format(loop_id=on.loop_id), QUESTION.model_dump(mode="json")
        for key in ("", "k" * 201):
            answer = await on.wire.send("POST", path, body, headers={routes.IDEMPOTENCY_KEY: key})
            assert (answer.status, answer.msg) == (400, "Validation failed")
        assert await on.agent.list_requests(RequestFilter()) == []


async def at_once(*calls: Awaitable[Created]) -> list[Created]:
    """All of them together."""
    done: list[Created] = []

    async def one(call: Awaitable[Created]) -> None:
        done.append(await call)

    async with anyio.create_task_group() as tasks:
        for call in calls:
            tasks.start_soon(one, call)
    return done


async def test_twenty_creates_at_once_with_one_key_make_one_request(place: Place) -> None:
    async with stage(place) as on:
        made = await at_once(*(on.ask_again(QUESTION, "K") for _ in range(20)))
        assert len({created.request_id for created in made}) == 1
        assert [created.joined for created in made].count(False) == 1
        assert len(await on.agent.list_requests(RequestFilter())) == 1


async def test_of_two_questions_raced_with_one_key_one_is_refused(place: Place) -> None:
    async with stage(place) as on:
        outcomes: list[str] = []

        async def ask(new: NewRequest) -> None:
            try:
                outcomes.append((await on.ask_again(new, "K")).request_id)
            except Conflict:
                outcomes.append("refused")

        async with anyio.create_task_group() as tasks:
            for new in (QUESTION, CHANGED_ALONE["text"]) * 5:
                tasks.start_soon(ask, new)
        assert outcomes.count("refused") == 5
        assert len(set(outcomes)) == 2
        assert len(await on.agent.list_requests(RequestFilter())) == 1
