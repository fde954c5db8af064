"""What reviewers do beside answering: hand on, ask the agent, take an answer back, answer many at once."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from sqlalchemy import update

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import NewAnswer, ReviewRequest
from hitl_mcp.contract.outcome import Outcome, outcome_of
from hitl_mcp.contract.states import Channel
from hitl_mcp.service import similar
from hitl_mcp.service.actors import Person
from hitl_mcp.service.store import Tx
from hitl_mcp.service.store.tables import loops
from tests.service.stage import Answer, Place, Stage, add_person, stage
from tests.world import WAIT, Reviewer, SimulatedClock

pytestmark = pytest.mark.anyio


async def act(on: Stage, route: str, request_id: str, body: Any = None, by: Reviewer | None = None) -> Answer:
    """A reviewer's call about a request."""
    return await on.wire.send("POST", route.format(request_id=request_id), body, key=(by or on.reviewer).session)


async def hold_answers(on: Stage, seconds: int, loop_id: str = "") -> None:
    """As a person sets it in the pages."""
    statement = update(loops).where(loops.c.id == (loop_id or on.loop_id)).values(undo_seconds=seconds)

    def unit(tx: Tx) -> None:
        tx.connection.execute(statement)

    await on.services.store.write(unit)


async def types(on: Stage, request_id: str) -> list[str]:
    """The kinds of entries in a request's log."""
    return [entry["type"] for entry in await on.history(request_id)]


async def test_a_request_is_handed_to_a_member_and_back_and_everybody_sees_to_whom(place: Place) -> None:
    async with stage(place) as on:
        grace = await on.services.store.write(lambda tx: add_person(tx, on.loop_id, "Grace"))
        other_loop = await on.second_loop()
        stranger = await on.services.store.write(lambda tx: add_person(tx, other_loop, "Mallory"))
        request_id = (await on.ask_approval("May I?")).request_id
        handed = await act(on, routes.REQUEST_REASSIGN, request_id, {"user_id": grace, "note": "yours"})
        assert (handed.status, handed.data["request"]["assigned_to_user"]["name"]) == (200, "Grace")
        assert (await on.agent.get_request(request_id)).assigned_to == grace
        refused = await act(on, routes.REQUEST_REASSIGN, request_id, {"user_id": stranger})
        assert (refused.status, (await on.agent.get_request(request_id)).assigned_to) == (400, grace)
        by_key = await on.wire.send("PATCH", routes.REQUEST.format(request_id=request_id), {"assigned_to": stranger})
        assert by_key.status == 400
        assert (await act(on, routes.REQUEST_REASSIGN, request_id, {"user_id": None})).data["request"][
            "assigned_to"
        ] is None
        entries = [entry["data"] for entry in await on.history(request_id) if entry["type"] == "reassigned"]
        assert entries == [{"from": None, "to": grace, "note": "yours"}, {"from": grace, "to": None, "note": ""}]


async def test_anothers_claim_is_not_handed_on_but_ones_own_is_and_ends(place: Place) -> None:
    async with stage(place) as on:
        grace, linus = await on.second_person(), await on.second_person("Linus")
        me = on.services.account.user_id
        request_id = (await on.ask_approval("May I?")).request_id
        assert (await act(on, routes.REQUEST_CLAIM, request_id, by=grace)).status == 200
        assert (await act(on, routes.REQUEST_REASSIGN, request_id, {"user_id": me}, linus)).status == 409
        handed = await act(on, routes.REQUEST_REASSIGN, request_id, {"user_id": me}, grace)
        assert (handed.status, handed.data["request"]["status"]) == (200, "pending")
        assert (await act(on, routes.REQUEST_CLAIM, request_id, by=grace)).status == 200
        taken = await act(on, routes.REQUEST_REASSIGN, request_id, {"user_id": None})
        assert (taken.status, taken.data["request"]["status"]) == (200, "pending"), "an owner of the loop may"
        assert (await on.respond(request_id, "approve")).status == 200


async def test_the_agent_is_asked_and_its_answer_makes_a_new_revision(place: Place) -> None:
    async with stage(place) as on:
        asked = await on.ask_approval("May I?")
        question = {"question": "Which region?"}
        path = routes.REQUEST.format(request_id=asked.request_id)
        assert (await on.wire.send("PATCH", path, {"reviewer_answer": "eu"})).status == 400
        assert (await act(on, routes.REQUEST_ASK, asked.request_id, question)).status == 200
        again = await act(on, routes.REQUEST_ASK, asked.request_id, {"question": "And why?"})
        assert again.status == 409
        request = await on.agent.get_request(asked.request_id)
        assert request.reviewer_question is not None
        assert (outcome_of(request), request.reviewer_question.question) == (Outcome.QUESTION, "Which region?")
        changed = await on.agent.update_request(asked.request_id, reviewer_answer="Only eu-west")
        assert changed.reviewer_question is not None
        assert (changed.revision, changed.reviewer_question.answer) == (2, "Only eu-west")
        assert outcome_of(changed) is Outcome.PENDING
        assert changed.view_digest != asked.request.view_digest
        late = await on.respond(asked.request_id, "approve", revision=1)
        assert (late.status, late.data["changes"][0]["answer"]) == (409, "Only eu-west")
        assert (await act(on, routes.REQUEST_ASK, asked.request_id, {"question": "And why?"})).status == 200
        assert (await on.respond(asked.request_id, "approve", revision=2)).status == 200
        assert await types(on, asked.request_id) == ["created", "asked", "answered_back", "asked", "completed"]


async def test_a_wait_ends_with_a_question_only_for_who_asked_for_that(place: Place) -> None:
    async with stage(place) as on:
        asked = await on.ask_approval("May I?")
        found: list[ReviewRequest] = []

        async def wait(until_question: bool) -> None:
            found.append(await on.agent.wait_for_decision(asked, until_question=until_question))

        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait, False)
                async with anyio.create_task_group() as first:
                    first.start_soon(wait, True)
                    await anyio.lowlevel.checkpoint()
                    assert (await act(on, routes.REQUEST_ASK, asked.request_id, {"question": "Why?"})).status == 200
                assert [one.waits_for_agent for one in found] == [True], "the other one waits on"
                await on.agent.update_request(asked.request_id, reviewer_answer="Because")
                seen = await on.agent.wait_for_decision(found[0], timeout=0, until_question=True)
                assert not seen.waits_for_agent, "an old copy of the request is read anew"
                assert (await on.respond(asked.request_id, "approve", revision=2)).status == 200
        assert outcome_of(found[1]) is Outcome.APPROVED


async def test_the_same_question_is_found_again_after_it_was_answered_back(place: Place) -> None:
    async with stage(place) as on:
        asked = await on.ask_approval("May I?", once_key="once")
        assert (await act(on, routes.REQUEST_ASK, asked.request_id, {"question": "Why?"})).status == 200
        await on.agent.update_request(asked.request_id, reviewer_answer="Because")
        assert (await on.ask_approval("May I?", once_key="once")).request_id == asked.request_id


async def test_an_answer_can_be_taken_back_and_until_it_is_final_nobody_else_learns_of_it(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        grace = await on.second_person()
        await hold_answers(on, 10)
        request_id = (await on.ask_approval("May I?", timeout_seconds=60)).request_id
        clicked = clock.now
        held = await on.respond(request_id, "approve")
        assert (held.status, held.data["request"]["status"]) == (200, "pending")
        assert (await on.respond(request_id, "reject", by=grace)).status == 409
        assert (await on.wire.send("DELETE", routes.REQUEST.format(request_id=request_id))).status == 409
        path = routes.REQUEST.format(request_id=request_id)
        assert (await on.wire.send("PATCH", path, {"priority": "low"})).status == 409
        for route in (routes.REQUEST_CLAIM, routes.REQUEST_UNDO):
            assert (await act(on, route, request_id, by=grace)).status == 409
        seen = await on.agent.get_request(request_id)
        assert (seen.status, seen.response_data, seen.response_by) == ("pending", None, None)
        assert await types(on, request_id) == ["created"]
        assert (await act(on, routes.REQUEST_UNDO, request_id)).status == 200
        assert (await act(on, routes.REQUEST_UNDO, request_id)).status == 409
        clock.move(1)
        assert (await on.respond(request_id, "reject")).status == 200
        clock.move(10)
        await on.services.lifecycle.act_on_due()
        done = await on.agent.get_request(request_id)
        assert (outcome_of(done), done.response_at.timestamp() * 1000 if done.response_at else 0) == (
            Outcome.REJECTED, clicked + 1000,
        )  # fmt: skip
        assert (await act(on, routes.REQUEST_UNDO, request_id)).status == 409
        assert await types(on, request_id) == ["created", "completed"]


async def test_an_answer_before_the_deadline_counts_although_it_was_held_beyond_it_while_nobody_ran(
    place: Place,
) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        await hold_answers(on, 30)
        request_id = (await on.ask_approval("May I?", timeout_seconds=60)).request_id
        clock.move(50)
        assert (await on.respond(request_id, "approve")).status == 200
    clock.move(3_600)
    async with stage(place, clock=clock) as on:
        await on.services.lifecycle.act_on_due()
        done = await on.agent.get_request(request_id)
        assert outcome_of(done) is Outcome.APPROVED
        assert await types(on, request_id) == ["created", "completed"]


async def test_many_are_answered_at_once_each_with_its_own_decision_and_its_own_refusal(place: Place) -> None:
    async with stage(place) as on:
        person = Person(on.services.account.user_id, "Ada", Channel.INBOX)
        asked = [(await on.ask_approval(f'Delete "file {n}" of job {n}?')).request for n in range(12)]
        other = (await on.ask_approval("Something else?")).request
        alike = await on.services.store.read(lambda tx: similar.open_like(tx, person, asked[0].id, 100))
        assert {one.id for one in alike} == {one.id for one in asked[1:]}
        groups = await on.services.store.read(lambda tx: similar.groups(tx, person))
        assert groups.keys() == {one.id for one in asked}
        assert other.id not in groups
        await on.agent.cancel_request(asked[3].id)
        done = await on.services.lifecycle.decide_many(
            person, [(one.id, NewAnswer(response_data="approve", revision=1)) for one in asked]
        )
        assert [one.request_id for one in done] == [one.id for one in asked]
        assert [index for index, one in enumerate(done) if one.fault is not None] == [3]
        for one in asked:
            kinds = await types(on, one.id)
            assert kinds.count("completed") == (0 if one is asked[3] else 1)
