"""The answer belongs to what was seen: a change makes a new revision, and an answer names the one it saw (H4)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import anyio
import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import NewRequest
from hitl_mcp.contract.states import Status
from hitl_mcp.errors import Conflict, NotFound
from tests.service.stage import Answer, Place, Stage, details_of, stage
from tests.world import SimulatedClock

pytestmark = pytest.mark.anyio

QUESTION = NewRequest(
    request_text="Which colour?", response_config={"options": ["Blue", "Green"]}, default_response="Blue"
)


async def change(on: Stage, request_id: str, **fields: Any) -> Answer:
    """PATCH with the agent's key."""
    return await on.wire.send("PATCH", routes.REQUEST.format(request_id=request_id), fields)


async def asked(on: Stage, new: NewRequest = QUESTION) -> str:
    """The id of a new question."""
    return (await on.agent.create_request(on.loop_id, new)).request_id


async def test_a_change_makes_a_new_revision_and_releases_the_claim(place: Place) -> None:
    async with stage(place) as on:
        request_id = await asked(on)
        await on.reviewer.do(routes.REQUEST_CLAIM, request_id)
        before = await on.agent.get_request(request_id)
        changed = await change(on, request_id, request_text="Which colour, really?")
        assert (changed.status, changed.msg) == (200, "Request updated successfully")
        request = changed.data["request"]
        assert (request["revision"], request["status"], request["claimed_by"]) == (2, "pending", None)
        assert request["request_text"] == "Which colour, really?"
        assert request["view_digest"] != before.view_digest
        assert (await on.agent.get_request(request_id)).revision == 2


async def test_an_answer_to_an_older_revision_is_refused_with_the_difference(place: Place) -> None:
    async with stage(place) as on:
        request_id = await asked(on)
        await change(on, request_id, request_text="Second words?", context={"host": "db1"})
        await change(on, request_id, request_text="Third words?")
        with pytest.raises(Conflict, match="changed after you opened it") as stale:
            await on.reviewer.answer(request_id, "Green", revision=1)
        details = details_of(stale.value)
        assert (details["revision"], details["seen"]) == (3, 1)
        assert [entry["revision"] for entry in details["changes"]] == [2, 3]
        first, second = details["changes"]
        assert first["before"]["request_text"] == "Which colour?"
        assert first["after"]["request_text"] == second["before"]["request_text"] == "Second words?"
        assert (first["before"]["context"], first["after"]["context"]) == (None, {"host": "db1"})
        assert second["after"]["request_text"] == "Third words?"
        assert "context" not in second["before"]
        with pytest.raises(Conflict) as nearer:
            await on.reviewer.answer(request_id, "Green", revision=2)
        assert [entry["revision"] for entry in details_of(nearer.value)["changes"]] == [3]
        answered = await on.reviewer.answer(request_id, "Green", revision=3)
        assert (answered.decided_revision, answered.response_data) == (3, "Green")


async def test_a_revision_that_never_was_is_refused(place: Place) -> None:
    async with stage(place) as on:
        request_id = await asked(on)
        with pytest.raises(Conflict):
            await on.reviewer.answer(request_id, "Green", revision=2)
        body = {"response_data": "Green"}
        session = on.reviewer.session
        path = routes.REQUEST_RESPOND.format(request_id=request_id)
        for wrong in ({}, {"revision": 0}, {"revision": None}, {"revision": "one"}, {"revision": 1.5}):
            answer = await on.wire.send("POST", path, body | wrong, key=session)
            assert (answer.status, answer.msg) == (400, "Validation failed"), wrong
        assert (await on.agent.get_request(request_id)).status is Status.PENDING


async def test_everything_a_reviewer_decides_on_changes_the_digest(place: Place) -> None:
    async with stage(place) as on:
        request_id = await asked(on)
        last = (await on.agent.get_request(request_id)).view_digest
        changes: list[dict[str, Any]] = [
            {"request_text": "Other?"},
            {"context": {"a": 1}},
            {"context": {"a": 2}},
            {"context": None},
            {"response_config": {"options": ["Blue", {"value": "Green", "label": "Verde"}]}},
            {"response_config": {"options": ["Blue", {"value": "Green", "label": "Verde", "color": "#00ff00"}]}},
            {"default_response": "Green"},
            {"default_response": None},
        ]
        for count, fields in enumerate(changes, start=2):
            answer = await change(on, request_id, **fields)
            assert (answer.status, answer.data["request"]["revision"]) == (200, count), fields
            assert answer.data["request"]["view_digest"] != last, fields
            last = answer.data["request"]["view_digest"]


async def test_a_new_deadline_and_priority_are_recorded(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        request_id = await asked(on)
        clock.move(10)
        before = await on.agent.get_request(request_id)
        await change(on, request_id, timeout_seconds=60, priority="critical")
        after = await on.agent.get_request(request_id)
        assert after.timeout_at - before.updated_at == timedelta(seconds=70)
        assert after.priority == "critical"
        data = (await on.history(request_id))[-1]["data"]
        assert data["before"].keys() == data["after"].keys() == {"timeout_at", "priority"}
        clock.move(60)
        assert (await on.agent.get_request(request_id)).status is Status.TIMEOUT


async def test_the_options_of_an_approval_cannot_be_changed(place: Place) -> None:
    async with stage(place) as on:
        request_id = (await on.ask_approval()).request_id
        before = await on.agent.get_request(request_id)
        for fields in (
            {"default_response": "approve"},
            {"default_response": None},
            {"response_config": {"options": [{"value": "approve", "label": "Reject"}]}},
            {"response_config": None},
            {"request_text": "May I, please?", "default_response": "approve"},
        ):
            answer = await change(on, request_id, **fields)
            assert (answer.status, answer.data) == (400, "the options of an approval cannot be changed"), fields
        for fields in ({"kind": "question"}, {"response_type": "text"}, {"status": "completed"}, {"revision": 1}):
            assert (await change(on, request_id, **fields)).status == 400, fields
        assert await on.agent.get_request(request_id) == before
        assert (await change(on, request_id, request_text="May I, please?")).data["request"]["response_config"] == (
            before.response_config
        )


async def test_a_change_that_does_not_fit_is_refused_whole(place: Place) -> None:
    async with stage(place) as on:
        request_id = await asked(on)
        before = await on.agent.get_request(request_id)
        wrong: list[dict[str, Any]] = [
            {},
            {"request_text": None},
            {"request_text": ""},
            {"request_text": "x" * 2001},
            {"priority": None},
            {"priority": "urgent"},
            {"timeout_seconds": 59},
            {"response_config": {"options": []}},
            {"response_config": {"options": ["Blue", "blue "]}},
            {"response_config": {"options": ["Red"]}},  # the default Blue is no option of it
            {"default_response": "Red"},
            {"request_text": "Fits", "default_response": "Red"},
        ]
        for fields in wrong:
            assert (await change(on, request_id, **fields)).status == 400, fields
        assert await on.agent.get_request(request_id) == before
        with pytest.raises(NotFound):
            await on.raw("PATCH", routes.REQUEST.format(request_id="0" * 24), {"priority": "low"})


async def test_an_empty_configuration_is_a_configuration(place: Place) -> None:
    """`{}` is a valid one for text (contract section 3.3); it takes the former bounds away."""
    async with stage(place) as on:
        body = {"request_text": "?", "response_type": "text", "response_config": {"max_length": 3}}
        request_id = await asked(on, NewRequest.model_validate(body))
        changed = await change(on, request_id, response_config={})
        assert changed.data["request"]["response_config"] == {}
        assert (await on.reviewer.answer(request_id, "longer", revision=2)).response_data == "longer"


async def test_a_change_raced_with_an_answer_never_gets_an_answer_to_unseen_words(place: Place) -> None:
    async with stage(place) as on:
        for _ in range(25):
            request_id = await asked(on)

            async def answer(request_id: str) -> None:
                try:
                    await on.reviewer.answer(request_id, "Green", revision=1)
                except Conflict as late:
                    assert details_of(late)["revision"] == 2

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(answer, request_id)
                tasks.start_soon(lambda request_id: change(on, request_id, request_text="Other?"), request_id)
            request = await on.agent.get_request(request_id)
            if request.status is Status.COMPLETED:
                assert (request.revision, request.decided_revision, request.request_text) == (1, 1, "Which colour?")
            else:
                assert (request.revision, request.response_data, request.request_text) == (2, None, "Other?")


async def test_a_request_is_not_changed_without_end(place: Place) -> None:
    async with stage(place) as on:
        request_id, much = await asked(on), "y" * 950_000
        came = [(await change(on, request_id, context={"much": f"{n}{much}"})).status for n in range(6)]
        assert came == [200] * 5 + [400], "whoever reads it reads all of its changes"
        refused = await change(on, request_id, priority="high")
        assert refused.msg == "Request cannot be changed again" and "ask a new one" in str(refused.body)
        answered = await on.reviewer.answer(request_id, "Green", revision=6)
        assert answered.response_data == "Green", "what there is can be answered"
