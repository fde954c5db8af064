"""A request climbs its loop's ladder: by hand, by time, by an option; bounded, never in a circle, seen by everybody."""

from __future__ import annotations

from typing import Any

import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.escalation import Ladder
from hitl_mcp.contract.models import NewRequest
from hitl_mcp.contract.outcome import Outcome, outcome_of
from hitl_mcp.contract.states import Channel, Priority
from hitl_mcp.errors import BadRequest, NotAllowed
from hitl_mcp.service.actors import Person
from hitl_mcp.service.store import Tx
from tests.service.stage import Answer, Place, Stage, add_person, stage
from tests.service.test_handing_on import hold_answers
from tests.world import Reviewer, SimulatedClock

pytestmark = pytest.mark.anyio

REASON = {"reason": "Above my limit"}


def owner(on: Stage) -> Person:
    """The machine's user, who made the loops."""
    return Person(on.services.account.user_id, "Ada", Channel.INBOX)


async def climb_by(on: Stage, loop_id: str, *steps: dict[str, Any], **bound: Any) -> None:
    """Set a loop's ladder, as its page does."""
    await on.services.lifecycle.set_ladder(
        owner(on), loop_id, Ladder.model_validate({"steps": list(steps), **bound}) if steps else None
    )


async def escalate(on: Stage, request_id: str, by: Reviewer | None = None) -> Answer:
    """By hand."""
    path = routes.REQUEST_ESCALATE.format(request_id=request_id)
    return await on.wire.send("POST", path, REASON, key=(by or on.reviewer).session)


async def types(on: Stage, request_id: str) -> list[str]:
    """The kinds of entries in a request's log."""
    return [entry["type"] for entry in await on.history(request_id)]


async def test_a_reviewer_escalates_and_the_new_loop_answers_what_it_sees(place: Place) -> None:
    async with stage(place) as on:
        leads = await on.second_loop("Leads")
        grace = await on.second_person()
        early = await on.ask_approval("Before there was a ladder?")
        assert (await escalate(on, early.request_id)).status == 409
        await climb_by(on, on.loop_id, {"to_loop": leads, "raise_priority_to": "critical", "extend_minutes": 5})
        asked = await on.ask_approval("May I?", timeout_seconds=600)
        assert asked.request.escalation is not None
        assert (asked.request.escalation.level, asked.request.escalation.of) == (0, 1)
        claim = routes.REQUEST_CLAIM.format(request_id=asked.request_id)
        assert (await on.wire.send("POST", claim, key=grace.session)).status == 200
        assert (await escalate(on, asked.request_id)).status == 409
        done = await escalate(on, asked.request_id, grace)
        assert (done.status, done.data["request"]["loop_id"]) == (200, leads)
        seen = await on.agent.get_request(asked.request_id)
        assert seen.escalation is not None
        assert (seen.loop_id, seen.priority, seen.status, seen.revision) == (leads, Priority.CRITICAL, "pending", 2)
        assert (seen.timeout_at - asked.timeout_at).total_seconds() == 300
        assert seen.view_digest != asked.request.view_digest
        whole = await on.wire.send("GET", routes.REQUEST.format(request_id=asked.request_id))
        reached = whole.data["request"]["broadcasted_to"]
        assert len(reached) == 2, "the people of the loop in which it was asked, and none of the leads'"
        last = seen.escalation.steps[-1]
        assert (seen.escalation.level, seen.escalation.of, last.by, last.reason, last.to_loop_name) == (
            1, 1, "Grace", "Above my limit", "Leads",
        )  # fmt: skip
        # who only belongs to the former loop no longer sees it; who saw the former words reads the new ones first
        assert (await on.respond(asked.request_id, "approve", revision=2, by=grace)).status == 404
        assert (await on.respond(asked.request_id, "approve", revision=1)).status == 409
        assert (await escalate(on, asked.request_id)).status == 409
        assert (await on.respond(asked.request_id, "approve", revision=2)).status == 200
        assert outcome_of(await on.agent.get_request(asked.request_id)) is Outcome.APPROVED
        assert await types(on, asked.request_id) == ["created", "claimed", "escalated", "completed"]
        assert (await on.agent.get_request(early.request_id)).escalation is not None, "open ones follow a new ladder"


async def test_time_takes_the_steps_one_after_another_but_leaves_who_works_on_it_in_peace(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        act = on.services.lifecycle.act_on_due
        grace = await on.services.store.write(lambda tx: add_person(tx, on.loop_id, "Grace"))
        await climb_by(
            on, on.loop_id, {"after_percent": 50, "to_people": [grace]},
            {"after_minutes": 10, "from_priority": "critical", "raise_priority_to": "critical"},
            {"after_minutes": 20, "unless_claimed": False, "raise_priority_to": "high"},
        )  # fmt: skip
        request_id = (await on.ask_approval("May I?", timeout_seconds=7_200)).request_id
        clock.move(3_599)
        await on.sign_in_again()
        claim = routes.REQUEST_CLAIM.format(request_id=request_id)
        assert (await on.wire.send("POST", claim, key=on.reviewer.session)).status == 200
        clock.move(2)
        await act()
        assert await types(on, request_id) == ["created", "claimed"]
        clock.move(900)
        await act()
        stands = await on.agent.get_request(request_id)
        assert stands.escalation is not None
        assert (stands.escalation.level, stands.escalation.of, stands.escalation.steps[0].rule) == (1, 3, "time")
        assert (stands.assigned_to, stands.revision) == (grace, 2)
        clock.move(19 * 60)
        await act()
        assert (await on.agent.get_request(request_id)).priority is Priority.MEDIUM
        await on.sign_in_again()
        assert (await on.wire.send("POST", claim, key=on.reviewer.session)).status == 200
        clock.move(61)
        await act()
        stands = await on.agent.get_request(request_id)
        assert (stands.priority, stands.status) == (Priority.HIGH, "pending")
        clock.move(7_200)
        await act()
        assert (await types(on, request_id))[-1] == "timeout"


async def test_nobody_reachable_is_escalated_at_once_and_more_time_is_bounded(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        leads = await on.second_loop("Leads")
        step = {"nobody_reachable": True, "extend_minutes": 9}
        await climb_by(on, on.loop_id, step, step, step, {"nobody_reachable": True, "to_loop": leads},
                       extend_at_most_percent=50)  # fmt: skip
        asked = await on.ask_approval("May I?", timeout_seconds=1_800)
        for _ in range(5):
            await on.services.lifecycle.act_on_due()
        stands = await on.agent.get_request(asked.request_id)
        assert stands.escalation is not None
        assert [one.rule for one in stands.escalation.steps] == ["nobody_reachable"] * len(stands.escalation.steps)
        assert (stands.timeout_at - asked.timeout_at).total_seconds() <= 900


async def test_an_option_escalates_instead_of_closing_where_people_said_so(place: Place) -> None:
    async with stage(place) as on:
        leads = await on.second_loop("Leads")
        await climb_by(on, on.loop_id, {"on_option": "unsure", "to_loop": leads})
        new = NewRequest(request_text="Which?", response_config={"options": ["yes", "unsure"]})
        asked = await on.agent.create_request(on.loop_id, new)
        sent = await on.respond(asked.request_id, "unsure")
        assert (sent.status, sent.data["request"]["status"], sent.data["request"]["loop_id"]) == (200, "pending", leads)
        again = await on.respond(asked.request_id, "unsure", revision=2)
        assert (again.status, again.data["request"]["status"]) == (200, "completed")
        assert await types(on, asked.request_id) == ["created", "escalated", "completed"]


async def test_circles_strangers_and_other_peoples_loops_are_refused(place: Place) -> None:
    async with stage(place) as on:
        leads, board = await on.second_loop("Leads"), await on.second_loop("Board")
        await climb_by(on, on.loop_id, {"to_loop": leads})
        await climb_by(on, leads, {"to_loop": board})
        with pytest.raises(BadRequest) as refused:
            await climb_by(on, board, {"to_loop": on.loop_id})
        assert "circle" in str(refused.value) and "Leads → Board" in str(refused.value.details)
        with pytest.raises(BadRequest):
            await climb_by(on, board, {"to_loop": board})

        def stranger(tx: Tx) -> Person:
            return Person(add_person(tx, leads, "Grace"), "Grace", Channel.INBOX)

        grace = await on.services.store.write(stranger)
        with pytest.raises(NotAllowed):
            await on.services.lifecycle.set_ladder(grace, leads, None)
        with pytest.raises(BadRequest):
            await climb_by(on, on.loop_id, {"to_people": [grace.user_id]})
        asked = await on.ask_approval("May I?")
        assert asked.request.escalation is not None and asked.request.escalation.of == 2
        assert (await escalate(on, asked.request_id)).status == 200
        # the ladder of another loop may be turned round later: the request still comes nowhere twice
        await climb_by(on, on.loop_id)
        await climb_by(on, leads, {"to_loop": on.loop_id})
        stuck = await escalate(on, asked.request_id)
        assert (stuck.status, (await on.agent.get_request(asked.request_id)).loop_id) == (409, leads)


async def test_a_held_answer_is_not_escalated_away(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        await hold_answers(on, 30)
        await climb_by(on, on.loop_id, {"after_minutes": 1, "raise_priority_to": "high"})
        request_id = (await on.ask_approval("May I?", timeout_seconds=600)).request_id
        clock.move(59)
        assert (await on.respond(request_id, "approve")).status == 200
        assert (await escalate(on, request_id)).status == 409
        clock.move(2)
        await on.services.lifecycle.act_on_due()
        assert await types(on, request_id) == ["created"]
        clock.move(30)
        await on.services.lifecycle.act_on_due()
        assert await types(on, request_id) == ["created", "completed"]
