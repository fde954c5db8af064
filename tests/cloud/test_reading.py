"""The cloud's odd answers are understood or refused, and none of them ever approves (H6, H11, contract 1.3, 2.5, 3)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hitl_mcp.contract.models import RequestFilter
from hitl_mcp.contract.outcome import Outcome, outcome_of
from hitl_mcp.contract.states import Kind, Status
from hitl_mcp.errors import BadRequest, ContractBroken, NotSupported, ServiceFault, TooManyRequests
from hitl_mcp.sdk import calls
from tests.cloud.simulated import Fault, Manners
from tests.cloud.stage import decided, now, outcome, question, simulated_time, stage

pytestmark = pytest.mark.anyio

HABITS = {
    "as documented": Manners(),
    "answers as objects": Manners(answers="object"),
    "answers as objects with labels": Manners(answers="labelled"),
    "options slugged": Manners(slugged_options=True),
    "options and answers slugged": Manners(slugged_options=True, slugged_answers=True, answers="labelled"),
    "a flat request": Manners(single="flat"),
    "a flat and nested request": Manners(single="both"),
    "claims not shown": Manners(shows_claimed=False),
    "lists without totals": Manners(list_totals=False),
    "lists without answers": Manners(list_answers=False),
    "responder with a name": Manners(responder="id_and_user"),
    "responder as an object": Manners(responder="object"),
    "defaults as answers": Manners(timeout_answer="default"),
    "reset in the past": Manners(reset="past"),
    "reset in milliseconds": Manners(reset="milliseconds"),
    "no reset": Manners(reset="missing"),
    "older fields": Manners(older_extras=True),
    "all at once": Manners(
        answers="labelled", slugged_options=True, slugged_answers=True, single="flat", shows_claimed=False,
        list_totals=False, list_answers=False, responder="object", timeout_answer="default", reset="past",
        older_extras=True, window="from_first_call", usage_data="top", retry_after=True,
    ),
}  # fmt: skip


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return simulated_time()


@pytest.fixture(params=HABITS, ids=str)
def manners(request: pytest.FixtureRequest) -> Manners:
    return HABITS[request.param]


@pytest.mark.parametrize("answer", ["Approve", "Reject", "Needs Changes", None])
@pytest.mark.parametrize("company", [1, 3])
async def test_whatever_its_habits_only_a_persons_approve_approves(
    tmp_path: Path, manners: Manners, answer: str | None, company: int
) -> None:
    scene = stage(tmp_path, manners)
    urgent: dict[str, Any] = {"processing_type": "time-sensitive", "timeout_seconds": 600}
    async with scene.backend() as backend:
        for _ in range(company - 1):  # with others waiting the list is read, alone the request itself
            await backend.create(scene.loop, question(), None, {})
        request = (await scene.approval(backend, **urgent)).request
        others = [one for one in scene.cloud.requests if one != request.id]
        if answer is not None:
            scene.cloud.answer(request.id, answer, at=now() + 100)
        expected = {
            "Approve": Outcome.APPROVED, "Reject": Outcome.REJECTED, "Needs Changes": Outcome.NEEDS_CHANGES,
            None: Outcome.TIMED_OUT,
        }[answer]  # fmt: skip
        with backend.watching(await backend.look(others[0])) if others else backend.watching(request):
            assert await outcome(backend, request) is expected
        read = await backend.send(calls.get_request(request.id))
        listed = await backend.send(calls.list_requests(RequestFilter()))
        assert outcome_of(read) is expected
        assert outcome_of(next(one for one in listed if one.id == request.id)) is expected


async def test_another_process_without_memory_reads_the_same(tmp_path: Path, manners: Manners) -> None:
    scene = stage(tmp_path, manners)
    async with scene.backend() as backend:
        request = (await scene.approval(backend)).request
    scene.cloud.answer(request.id, "Approve")
    forgetful = replace(scene, folder=tmp_path / "another")
    async with forgetful.backend() as backend:
        read = await backend.send(calls.get_request(request.id))
    assert (read.kind, outcome_of(read), read.decision) == (Kind.APPROVAL, Outcome.APPROVED, "approved")
    assert read.context is None


GARBAGE: list[Any] = [
    True, 1, "true", "yes", "approved", "APPROVE it", "", [], ["Approve"], {}, {"selected_value": True}, {"approve": 1},
    {"selected_value": "Approve", "selected_label": "Reject"}, {"selected_value": ["Approve"]}, {"value": "Approve"},
    "Аpprove", {"selected_values": ["Approve"]}, 0, "Approve\nReject", "reject approve",
]  # fmt: skip
"""The Cyrillic А is no Latin A."""


@pytest.mark.parametrize("raw", GARBAGE, ids=repr)
async def test_an_answer_that_is_none_of_the_options_is_unreadable(tmp_path: Path, raw: Any) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        request = (await scene.approval(backend)).request
        asked = (await backend.create(scene.loop, question(), None, {})).request
        for one in (request, asked):
            scene.cloud.answer(one.id, raw, as_is=True)
        assert await outcome(backend, request) is Outcome.UNREADABLE
        assert await outcome(backend, asked) is Outcome.UNREADABLE


async def test_without_a_person_there_is_no_approval(tmp_path: Path) -> None:
    scene = stage(tmp_path, Manners(responder="missing"))
    async with scene.backend() as backend:
        request = (await scene.approval(backend)).request
        scene.cloud.answer(request.id, "Approve")
        assert await outcome(backend, request) is Outcome.UNREADABLE


async def test_a_question_dressed_as_an_approval_is_none(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    options: dict[str, Any] = {"options": ["Approve", "Reject", "Needs Changes"]}
    marker = "approval-" + "0" * 32
    dressed: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "a marker of a question": ({"hitl_mcp_ref": "question-" + "0" * 32}, options),
        "no marker": ({}, options),
        "other options": ({"hitl_mcp_ref": marker}, {"options": ["Approve", "Reject"]}),
        "another order": ({"hitl_mcp_ref": marker}, {"options": ["Reject", "Approve", "Needs Changes"]}),
        "labels that say something else": (
            {"hitl_mcp_ref": marker},
            {"options": [
                {"value": "approve", "label": "Reject"}, {"value": "reject", "label": "Approve"}, "Needs Changes",
            ]},
        ),
        "a description that says something else": (
            {"hitl_mcp_ref": marker},
            {"options": [{"value": "approve", "label": "Approve", "description": "No"}, "Reject", "Needs Changes"]},
        ),
    }  # fmt: skip
    async with scene.backend() as backend:
        for context, config in dressed.values():
            name = scene.cloud.ask(scene.loop, key=scene.key, context=context, response_config=config)
            scene.cloud.answer(name, "Approve")
            read = await backend.send(calls.get_request(name))
            assert outcome_of(read) is not Outcome.APPROVED
            assert read.kind is Kind.QUESTION
            assert read.decision is None


@pytest.mark.parametrize(
    ("asked", "given", "expected"),
    [
        ({}, "Deploy now", "Deploy now"),
        ({"response_type": "multi_select", "default_response": []}, ["Wait", "Deploy now"], ["Wait", "Deploy now"]),
        ({"response_type": "rating", "response_config": {"scale_max": 5}, "default_response": 1}, 4, 4),
        ({"response_type": "number", "response_config": {"max_value": 9, "min_value": 0}, "default_response": 1}, 0, 0),
        ({"response_type": "boolean", "response_config": {}, "default_response": False}, True, True),
        ({"response_type": "text", "response_config": {"max_length": 50}, "default_response": "-"}, "Hi", "Hi"),
        (
            {
                "response_type": "editable_text", "response_config": {"draft_text": "Dear", "max_length": 50},
                "default_response": "Dear",
            },
            "Hello",
            {"revised_text": "Hello", "was_edited": True},
        ),
    ],
    ids=["single", "multi", "rating", "number", "boolean", "text", "editable"],
)  # fmt: skip
async def test_every_type_of_answer_comes_back_as_it_was_asked_for(
    tmp_path: Path, manners: Manners, asked: dict[str, Any], given: Any, expected: Any
) -> None:
    scene = stage(tmp_path, manners)
    async with scene.backend() as backend:
        created = await backend.create(scene.loop, question(**asked), None, {})
        scene.cloud.answer(created.request_id, given, at=now() + 10)
        answered = await decided(backend, created.request)
        assert (answered.status, answered.response_data) == (Status.COMPLETED, expected)
        assert outcome_of(answered) is Outcome.ANSWERED


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize("what", ["html", "envelope", "error_200", "drop"])
async def test_a_wait_outlives_every_fault(tmp_path: Path, what: Any, status: int) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        request = (await scene.approval(backend)).request
        scene.cloud.misbehave(Fault(what, status=status, times=6))
        scene.cloud.answer(request.id, "Approve", at=now() + 20)
        assert await outcome(backend, request) is Outcome.APPROVED


async def test_a_page_instead_of_an_answer_is_a_clear_fault(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        scene.cloud.misbehave(Fault("html", status=502, times=None))
        with pytest.raises(ServiceFault, match="gateway"):
            await backend.send(calls.list_loops())
        scene.cloud.behave()
        scene.cloud.misbehave(Fault("html", status=200, times=None))
        with pytest.raises(ContractBroken):
            await backend.send(calls.list_loops())
        scene.cloud.behave()
        scene.cloud.misbehave(Fault("error_200"))
        with pytest.raises(BadRequest):
            await backend.send(calls.list_loops())


@pytest.mark.parametrize("usage_data", ["data", "top", "text", "missing"])
@pytest.mark.parametrize("retry_after", [True, False])
async def test_a_used_up_budget_says_when_it_comes_back(tmp_path: Path, usage_data: Any, retry_after: bool) -> None:
    scene = stage(tmp_path, Manners(usage_data=usage_data, retry_after=retry_after))
    async with scene.backend() as backend:
        scene.cloud.spend(scene.key, 100)
        for _ in range(2):  # the second time nothing is sent
            with pytest.raises(TooManyRequests, match="Nothing was queued") as refused:
                await scene.approval(backend)
            assert refused.value.reset_at is not None
            assert refused.value.reset_at.timestamp() % 3600 == 0
            assert refused.value.retry_after is not None
        assert len(scene.cloud.calls) == 1
        assert not scene.cloud.requests


@pytest.mark.parametrize(
    "call", [calls.renew_invite("0" * 24), calls.list_changes(None)], ids=lambda call: call.operation
)
async def test_what_the_cloud_cannot_do_is_said_before_anything_is_sent(tmp_path: Path, call: Any) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        with pytest.raises(NotSupported, match="cloud"):
            await backend.send(call)
    assert not scene.cloud.calls


async def test_loops_people_and_the_key_are_read_in_every_shape(tmp_path: Path, manners: Manners) -> None:
    scene = stage(tmp_path, manners)
    scene.cloud.join(scene.loop, "rita@example.com", "Rita")
    async with scene.backend() as backend:
        loops = await backend.send(calls.list_loops())
        members = await backend.send(calls.list_members(scene.loop))
        facts = await backend.send(calls.check_key())
    assert [loop.id for loop in loops] == [scene.loop]
    assert {member.email for member in members} == {"owner@example.com", "rita@example.com"}
    assert facts.rate_limit is not None
    assert facts.rate_limit.limit == 100


async def test_cancelling_tells_what_became_of_the_request(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        request = (await scene.approval(backend)).request
        cancelled = await backend.send(calls.cancel_request(request.id))
        assert (cancelled.id, cancelled.status) == (request.id, Status.CANCELLED)
        assert await outcome(backend, request) is Outcome.CANCELLED
    assert scene.cloud.requests[request.id].status == "cancelled"
