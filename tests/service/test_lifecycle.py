"""A request's way from question to decision, through the public routes (D5, contract sections 2.4 to 2.6)."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import NewRequest, RequestFilter
from hitl_mcp.contract.outcome import APPROVAL_CONFIG
from hitl_mcp.contract.states import Assurance, Channel, Kind, Priority, Status
from hitl_mcp.errors import Conflict, NotAllowed, NotFound
from hitl_mcp.sdk import AsyncHITLClient
from hitl_mcp.sdk.endpoint import Fixed
from tests.service.stage import Place, Stage, details_of, stage
from tests.world import SimulatedClock

pytestmark = pytest.mark.anyio

NOBODY = "0" * 24
CLAIM_MINUTES = 15
EVERY_TYPE: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("single_select", {"options": ["Blue", "Green"]}, "green", "Green"),
    ("multi_select", {"options": ["Logs", "Metrics"], "max_selections": 2}, ["logs"], ["Logs"]),
    ("rating", {"scale_max": 5}, 4.0, 4),
    ("number", {"max_value": 10}, 2.25, 2.25),
    ("text", {}, "fine", "fine"),
    ("boolean", {}, False, False),
    ("editable_text", {"draft_text": "Dear"}, "Dear all", {"revised_text": "Dear all", "was_edited": True}),
]


def of(request_id: str) -> str:
    """The address of one request."""
    return routes.REQUEST.format(request_id=request_id)


async def test_a_request_comes_back_as_it_was_asked(place: Place) -> None:
    async with stage(place) as on:
        body = {
            "processing_type": "time-sensitive", "type": "markdown", "priority": "high", "request_text": "Ünïcode 🙂?",
            "response_type": "single_select", "response_config": {"options": ["Approve", "Needs Changes"]},
            "default_response": "needs_changes", "timeout_seconds": 60, "platform": "n8n", "platform_version": "1.2",
            "context": {"b": [1, 2.5, None, {"ü": True}], "a": "x"}, "tags": ["ignored"],
        }  # fmt: skip
        headers = {"X-HITL-Client": "tester"}
        created = await on.wire.send("POST", routes.LOOP_REQUESTS.format(loop_id=on.loop_id), body, headers=headers)
        assert created.status == 201
        assert created.data.keys() >= {
            "request_id", "status", "processing_type", "type", "priority", "timeout_at", "broadcasted_to",
            "notifications_sent", "polling_url",
        }  # fmt: skip
        assert (created.data["status"], created.data["broadcasted_to"]) == ("pending", 1)
        shown = await on.wire.send("GET", created.data["polling_url"])
        assert (shown.status, shown.msg) == (200, "Request retrieved successfully")
        request = shown.data["request"]
        same = ("processing_type", "priority", "request_text", "response_config", "platform", "context")
        assert {name: request[name] for name in same} == {name: body[name] for name in same}
        assert request["default_response"] == "Needs Changes"
        assert (request["revision"], request["user_agent"], request["response_data"]) == (1, "tester", None)
        assert request["timeout_at"].endswith("Z")


async def test_the_flat_copies_that_published_pollers_read(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        created = await on.ask_approval()
        await on.reviewer.answer(created.request_id, "approve")
        data = (await on.wire.send("GET", of(created.request_id))).data
        assert (data["status"], data["response_data"], data["default_response"]) == ("completed", "approve", "reject")
        late = await on.ask_approval(timeout_seconds=60)
        clock.move(61)
        data = (await on.wire.send("GET", of(late.request_id))).data
        assert (data["status"], data["request"]["status"]) == ("timed_out", "timeout")


async def test_a_person_decides_once_and_it_is_told_who_when_and_how(place: Place) -> None:
    async with stage(place) as on:
        created = await on.ask_approval()
        await on.reviewer.answer(created.request_id, "Approve", comment="Looks fine")
        request = await on.agent.get_request(created.request_id)
        assert (request.status, request.response_data, request.decision) == (Status.COMPLETED, "approve", "approved")
        assert (request.response_comment, request.decided_revision) == ("Looks fine", 1)
        assert request.response_channel is Channel.TERMINAL
        assert request.response_assurance is Assurance.SAME_MACHINE_USER
        assert request.response_by_user is not None and request.response_by_user.id == request.response_by
        assert request.response_at is not None and request.response_at < request.timeout_at


async def test_every_response_type_is_answered_in_its_own_form(place: Place) -> None:
    async with stage(place) as on:
        for response_type, config, given, stored in EVERY_TYPE:
            body = {"request_text": "?", "response_type": response_type, "response_config": config}
            new = NewRequest.model_validate(body)
            created = await on.agent.create_request(on.loop_id, new)
            await on.reviewer.answer(created.request_id, given)
            request = await on.agent.get_request(created.request_id)
            assert request.response_data == stored, response_type
            assert type(request.response_data) is type(stored), response_type
            assert request.decision is None


async def test_a_question_with_approving_words_has_no_approval_as_outcome(place: Place) -> None:
    async with stage(place) as on:
        new = NewRequest(request_text="?", response_config=APPROVAL_CONFIG)
        created = await on.agent.create_request(on.loop_id, new)
        answered = await on.reviewer.answer(created.request_id, "approve")
        assert (answered.kind, answered.decision) == (Kind.QUESTION, None)


async def test_the_second_answer_is_told_who_decided_and_when(place: Place) -> None:
    async with stage(place) as on:
        created, other = await on.ask_approval(), await on.second_person("Grace")
        first = await other.answer(created.request_id, "reject")
        with pytest.raises(Conflict, match="Already decided by Grace") as late:
            await on.reviewer.answer(created.request_id, "approve")
        assert first.response_at is not None
        assert details_of(late.value) == {"status": "completed", "by": "Grace", "at": first.response_at.isoformat()}
        with pytest.raises(Conflict, match="Already decided"):
            await other.answer(created.request_id, "approve")
        with pytest.raises(Conflict, match="Already decided"):
            await on.reviewer.do(routes.REQUEST_CLAIM, created.request_id)
        assert (await on.agent.get_request(created.request_id)).response_data == "reject"


async def test_of_two_answers_at_once_exactly_one_wins(place: Place) -> None:
    async with stage(place) as on:
        people = {"approve": on.reviewer, "reject": await on.second_person()}
        for _ in range(50):
            request_id = (await on.ask_approval()).request_id
            outcomes: dict[str, int] = {}

            async def answer(value: str, request_id: str, outcomes: dict[str, int]) -> None:
                outcomes[value] = (await on.respond(request_id, value, by=people[value])).status

            async with anyio.create_task_group() as tasks:
                for value in people:
                    tasks.start_soon(answer, value, request_id, outcomes)
            request = await on.agent.get_request(request_id)
            assert sorted(outcomes.values()) == [200, 409]
            assert outcomes[request.response_data] == 200
            assert [event["type"] for event in await on.history(request_id)] == ["created", "completed"]


async def test_an_answer_that_does_not_fit_is_refused_and_nothing_is_lost(place: Place) -> None:
    async with stage(place) as on:
        for response_type, config, good, _ in EVERY_TYPE:
            body = {"request_text": "?", "response_type": response_type, "response_config": config}
            request_id = (await on.agent.create_request(on.loop_id, NewRequest.model_validate(body))).request_id
            await on.reviewer.do(routes.REQUEST_CLAIM, request_id)
            before = await on.agent.get_request(request_id)
            for wrong in ({"selected_value": "x"}, ["?", "?"], None, 10**400, 1e300):
                refused = await on.respond(request_id, wrong)
                assert (refused.status, refused.msg) == (400, "Invalid response"), (response_type, wrong)
                assert refused.data.keys() == {"field", "issue"}
            assert await on.agent.get_request(request_id) == before
            assert (await on.respond(request_id, good)).status == 200


async def test_claiming_shows_who_is_on_it_and_keeps_others_out(place: Place) -> None:
    async with stage(place) as on:
        created, other = await on.ask_approval(), await on.second_person("Grace")
        claimed = await other.do(routes.REQUEST_CLAIM, created.request_id)
        assert (claimed.status, claimed.revision) == (Status.CLAIMED, 1)
        assert claimed.claimed_by_user is not None and claimed.claimed_by_user.name == "Grace"
        for late in (
            on.reviewer.do(routes.REQUEST_CLAIM, created.request_id),
            on.reviewer.answer(created.request_id, "approve"),
        ):
            with pytest.raises(Conflict, match="Claimed by Grace"):
                await late
        with pytest.raises(Conflict, match="Claimed by Grace"):
            await on.reviewer.do(routes.REQUEST_RELEASE, created.request_id)
        released = await other.do(routes.REQUEST_RELEASE, created.request_id)
        assert (released.status, released.claimed_by, released.claimed_at) == (Status.PENDING, None, None)
        with pytest.raises(Conflict, match="not claimed by you"):
            await other.do(routes.REQUEST_RELEASE, created.request_id)
        assert (await on.reviewer.answer(created.request_id, "approve")).decision == "approved"


async def test_who_claimed_may_claim_again_and_answer(place: Place) -> None:
    async with stage(place) as on:
        created = await on.ask_approval()
        await on.reviewer.do(routes.REQUEST_CLAIM, created.request_id)
        await on.reviewer.do(routes.REQUEST_CLAIM, created.request_id)
        answered = await on.reviewer.answer(created.request_id, "approve")
        assert (answered.status, answered.claimed_by) == (Status.COMPLETED, None)


async def test_a_claim_that_was_left_lying_ends_by_itself(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        created, other = await on.ask_approval(), await on.second_person("Grace")
        await other.do(routes.REQUEST_CLAIM, created.request_id)
        clock.move(CLAIM_MINUTES * 60)
        await on.sign_in_again()
        shown = await on.agent.get_request(created.request_id)
        assert (shown.status, shown.claimed_by) == (Status.PENDING, None)
        pending = await on.agent.list_requests(RequestFilter(status=Status.PENDING))
        assert [request.id for request in pending] == [created.request_id]
        assert await on.agent.list_requests(RequestFilter(status=Status.CLAIMED)) == []
        assert (await on.reviewer.answer(created.request_id, "approve")).decision == "approved"


async def test_a_withdrawn_request_can_neither_be_answered_nor_withdrawn_again(place: Place) -> None:
    async with stage(place) as on:
        created = await on.ask_approval()
        await on.reviewer.do(routes.REQUEST_CLAIM, created.request_id)
        gone = await on.wire.send("DELETE", of(created.request_id))
        assert (gone.status, gone.msg) == (200, "Request cancelled successfully")
        assert (gone.data["request_id"], gone.data["status"]) == (created.request_id, "cancelled")
        assert (gone.data["previous_status"], gone.data["cancelled_at"] is None) == ("claimed", False)
        with pytest.raises(Conflict, match="withdrawn") as late:
            await on.reviewer.answer(created.request_id, "approve")
        assert details_of(late.value) == {"status": "cancelled"}
        again = await on.wire.send("DELETE", of(created.request_id))
        assert (again.status, again.msg) == (400, "Request cannot be cancelled in current state")
        request = await on.agent.get_request(created.request_id)
        assert (request.response_data, request.decision, request.claimed_by) == (None, None, None)


async def test_a_decided_request_cannot_be_withdrawn_or_changed(place: Place) -> None:
    async with stage(place) as on:
        created = await on.ask_approval()
        await on.reviewer.answer(created.request_id, "approve")
        before = await on.agent.get_request(created.request_id)
        for method, body in (("DELETE", None), ("PATCH", {"request_text": "Something else"})):
            answer = await on.wire.send(method, of(created.request_id), body)
            assert (answer.status, answer.data) == (400, "completed")
        assert await on.agent.get_request(created.request_id) == before


async def three(on: Stage, clock: SimulatedClock) -> list[str]:
    """Three requests of different age and priority."""
    made: list[str] = []
    for priority in (Priority.LOW, Priority.CRITICAL, Priority.MEDIUM):
        made.append((await on.ask_approval(priority=priority)).request_id)
        clock.move(1)
    return made


async def test_lists_are_filtered_and_sorted(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        low, critical, medium = await three(on, clock)
        await on.reviewer.answer(low, "approve")
        await on.agent.cancel_request(medium)

        async def found(**wanted: Any) -> list[str]:
            return [request.id for request in await on.agent.list_requests(RequestFilter.model_validate(wanted))]

        assert await found() == [medium, critical, low]
        assert await found(sort="created_at_asc") == [low, critical, medium]
        assert await found(sort="priority_desc") == [critical, medium, low]
        assert await found(sort="status_asc") == [medium, low, critical]
        assert await found(status="completed") == [low]
        assert await found(status="cancelled") == [medium]
        assert await found(status="timed_out") == []
        assert await found(priority="critical") == [critical]
        assert await found(loop_id=on.loop_id, status="pending") == [critical]
        assert await found(loop_id=NOBODY) == []


async def test_lists_come_in_pages_that_neither_lose_nor_repeat(place: Place) -> None:
    async with stage(place, clock=SimulatedClock()) as on:  # all of one moment, so that ties must be broken
        made = {(await on.ask_approval()).request_id for _ in range(7)}
        seen: list[str] = []
        offset: int | None = 0
        while offset is not None:
            page = (await on.wire.send("GET", f"{routes.REQUESTS}?limit=3&offset={offset}")).data
            assert (page["total"], page["count"]) == (7, len(page["requests"]))
            assert page["has_more"] == (page["pagination"]["next_offset"] is not None)
            seen += [request["id"] for request in page["requests"]]
            offset = page["pagination"]["next_offset"]
        assert len(seen) == 7
        assert set(seen) == made
        beyond = (await on.wire.send("GET", f"{routes.REQUESTS}?offset=100")).data
        assert (beyond["requests"], beyond["total"], beyond["has_more"]) == ([], 7, False)


async def test_reviewers_see_the_most_urgent_first(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        low, critical, medium = await three(on, clock)
        assert [request.id for request in await on.reviewer.open_requests()] == [critical, medium, low]


async def test_a_new_question_is_told_how_many_wait_before_it(place: Place) -> None:
    async with stage(place) as on:
        assert [(await on.ask_approval()).open_ahead for _ in range(3)] == [0, 1, 2]


async def test_what_does_not_exist_is_not_found(place: Place) -> None:
    async with stage(place) as on:
        with pytest.raises(NotFound, match="Loop not found"):
            await on.agent.create_request(NOBODY, NewRequest(kind=Kind.APPROVAL, request_text="?"))
        with pytest.raises(NotFound, match="Request not found"):
            await on.agent.get_request(NOBODY)
        with pytest.raises(NotFound, match="Request not found"):
            await on.agent.cancel_request(NOBODY)
        with pytest.raises(NotFound, match="Request not found"):
            await on.reviewer.answer(NOBODY, "approve")
        with pytest.raises(NotFound, match="Request not found"):
            await on.reviewer.do(routes.REQUEST_CLAIM, NOBODY)


async def test_an_error_leaves_the_clients_block_as_itself(place: Place) -> None:
    async with stage(place) as on:
        with pytest.raises(NotFound, match="Request not found"):
            async with AsyncHITLClient.at(Fixed(on.found.endpoint())) as client:
                await client.get_request(NOBODY)


async def test_an_agents_key_cannot_answer_claim_or_list_for_reviewers(place: Place) -> None:
    async with stage(place) as on:
        created = await on.ask_approval()
        for method, route in (("POST", routes.REQUEST_RESPOND), ("POST", routes.REQUEST_CLAIM), ("GET", routes.REVIEW)):
            with pytest.raises(NotAllowed):
                await on.raw(method, route.format(request_id=created.request_id), {"response_data": "approve"})
        assert (await on.agent.get_request(created.request_id)).status is Status.PENDING
