"""Asking on the cloud: nothing is asked twice unseen, and nothing is promised that is not known (D12, H1, H2, H33)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from hitl_mcp.contract.outcome import Outcome, outcome_of
from hitl_mcp.contract.states import Kind
from hitl_mcp.errors import BadRequest, Conflict, NotSupported, ServiceFault, Unreachable
from hitl_mcp.sdk import calls
from tests.cloud.simulated import Fault, Manners
from tests.cloud.stage import Stage, approval, now, outcome, question, simulated_time, stage

pytestmark = pytest.mark.anyio

KEY = "create_request"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return simulated_time()


def posts(scene: Stage) -> int:
    """How many creates reached the cloud."""
    return sum(1 for call in scene.cloud.calls if call.method == "POST")


async def test_what_is_sent_says_everything_the_cloud_requires(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        created = await backend.create(scene.loop, approval(context={"file": "a.txt"}), None, {})
    asked = scene.cloud.requests[created.request_id].asked
    assert asked["response_config"] == {"options": ["Approve", "Reject", "Needs Changes"]}
    assert asked["default_response"] == "Reject"
    assert asked["context"]["file"] == "a.txt"
    assert asked["context"]["hitl_mcp_ref"].startswith("approval-")
    assert created.request.context == {"file": "a.txt"}
    assert created.request.kind is Kind.APPROVAL
    assert created.broadcasted_to == 1


@pytest.mark.parametrize("list_answers", [True, False])
@pytest.mark.parametrize("effect", ["done", 10.0])
@pytest.mark.parametrize("what", ["drop", "html"])
async def test_a_create_that_took_effect_unseen_is_adopted(
    tmp_path: Path, what: Any, effect: Any, list_answers: bool
) -> None:
    scene = stage(tmp_path, Manners(list_answers=list_answers))
    async with scene.backend() as backend:
        scene.cloud.misbehave(Fault(what, on=KEY, status=502, effect=effect))
        start = now()
        created = await scene.approval(backend)
        assert now() - start >= 30
        assert posts(scene) == 1
        assert list(scene.cloud.requests) == [created.request_id]
        scene.cloud.answer(created.request_id, "Approve", at=now() + 60)
        assert await outcome(backend, created.request) is Outcome.APPROVED


async def test_a_create_that_took_no_effect_is_repeated_once(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        scene.cloud.misbehave(Fault("drop", on=KEY))
        created = await scene.approval(backend)
        assert posts(scene) == 2
        assert list(scene.cloud.requests) == [created.request_id]
        scene.cloud.answer(created.request_id, "Approve", at=now() + 5)
        assert await outcome(backend, created.request) is Outcome.APPROVED


async def test_it_is_never_repeated_twice(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        scene.cloud.misbehave(Fault("drop", on=KEY, times=None))
        with pytest.raises(Unreachable, match=r"not known whether the question was asked.*list_requests"):
            await scene.approval(backend)
    assert posts(scene) == 2


async def test_it_is_not_repeated_where_looking_for_it_fails(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        scene.cloud.misbehave(Fault("drop", on=KEY), Fault("html", on="list_requests", times=None))
        with pytest.raises(Unreachable, match="not known whether the question was asked"):
            await scene.approval(backend)
    assert posts(scene) == 1


async def test_a_late_twin_is_cancelled(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        scene.cloud.misbehave(Fault("drop", on=KEY, effect=45.0))
        created = await scene.approval(backend)
        with backend.watching(created.request):
            await anyio.sleep(120)
        states = {name: one.status for name, one in scene.cloud.requests.items()}
        assert states.pop(created.request_id) == "pending"
        assert list(states.values()) == ["cancelled"]
        scene.cloud.answer(created.request_id, "Approve", at=now() + 5)
        assert await outcome(backend, created.request) is Outcome.APPROVED


@pytest.mark.parametrize(
    ("second", "expected"), [("Reject", Outcome.UNREADABLE), ("Approve", Outcome.APPROVED), (None, Outcome.APPROVED)]
)
@pytest.mark.parametrize("direct", [True, False])
async def test_twins_decided_differently_approve_nothing(
    tmp_path: Path, second: str | None, expected: Outcome, direct: bool
) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        scene.cloud.misbehave(Fault("drop", on=KEY, effect=31.0))
        created = await scene.approval(backend)
        await anyio.sleep(2)  # nobody waits, so nobody looks for the twin yet
        twin = next(name for name in scene.cloud.requests if name != created.request_id)
        if second:
            scene.cloud.answer(twin, second)
        scene.cloud.answer(created.request_id, "Approve")
        if direct:
            assert outcome_of(await backend.send(calls.get_request(created.request_id))) is expected
        assert await outcome(backend, created.request) is expected
        assert outcome_of(await backend.look(created.request_id)) is expected


async def test_a_refusal_is_no_doubt(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        start = now()
        scene.cloud.misbehave(Fault("envelope", on=KEY, status=500))
        with pytest.raises(ServiceFault):
            await scene.approval(backend)
        scene.cloud.misbehave(Fault("error_200", on=KEY))
        with pytest.raises(BadRequest):
            await scene.approval(backend)
        assert now() == start
    assert posts(scene) == 2
    assert not scene.cloud.requests


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"default_response": None}, "default_response"),
        ({"default_response": "Maybe"}, "default_response"),
        ({"response_config": {"options": ["Yes", "yes"]}, "default_response": "Yes"}, "response_config"),
        ({"context": {"hitl_mcp_ref": "approval-" + "0" * 32}}, "context.hitl_mcp_ref"),
    ],
)
async def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    tmp_path: Path, fields: dict[str, Any], field: str
) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        with pytest.raises(BadRequest) as refused:
            await backend.create(scene.loop, question(**fields), None, {})
        assert refused.value.field
        assert refused.value.field.startswith(field)
        form: dict[str, Any] = {"response_type": "form", "response_config": {"fields": []}, "default_response": None}
        with pytest.raises(NotSupported, match="each field"):
            await backend.create(scene.loop, question(**form), None, {})
    assert not scene.cloud.calls


async def test_a_refused_boolean_says_what_to_ask_instead(tmp_path: Path) -> None:
    scene = stage(tmp_path, Manners(takes_boolean=False))
    yes_no = question(response_type="boolean", response_config={}, default_response=False)
    async with scene.backend() as backend:
        with pytest.raises(BadRequest, match="single_select with two options"):
            await backend.create(scene.loop, yes_no, None, {})


async def test_a_question_that_reached_no_phone_says_so(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    scene.cloud.empty(scene.loop)
    scene.cloud.join(scene.loop, "rita@example.com", "Rita", reachable=False)
    async with scene.backend() as backend:
        created = await scene.approval(backend)
    assert created.notifications_sent == 0
    assert "phone" in created.notes[0]


async def test_the_same_key_and_question_are_one_request_while_it_is_open(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        first = await backend.create(scene.loop, approval(), "k", {})
        second = await backend.create(scene.loop, approval(), "k", {})
        assert (first.request_id, first.joined) == (second.request_id, False)
        assert second.joined
        with pytest.raises(Conflict):
            await backend.create(scene.loop, approval("Drop the table?"), "k", {})
        other = await backend.create(scene.loop, approval(), "another", {})
        assert other.request_id != first.request_id
    assert posts(scene) == 2


async def test_creates_of_one_key_at_once_are_one_request(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    made: list[str] = []
    async with scene.backend() as backend, anyio.create_task_group() as tasks:

        async def one() -> None:
            made.append((await backend.create(scene.loop, approval(), "k", {})).request_id)

        for _ in range(10):
            tasks.start_soon(one)
    assert len(set(made)) == 1
    assert posts(scene) == 1


@pytest.mark.parametrize(
    ("delivered", "later", "same", "repeat"),
    [(False, 3_590, True, False), (False, 3_610, False, False), (True, 119, True, True), (True, 121, False, False)],
)
async def test_a_decision_answers_for_its_key_only_for_a_while(
    tmp_path: Path, delivered: bool, later: float, same: bool, repeat: bool
) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        first = await backend.create(scene.loop, approval(), "k", {})
        scene.cloud.answer(first.request_id, "Approve")
        assert await outcome(backend, first.request) is Outcome.APPROVED
        if delivered:
            await backend.delivered(first.request_id)
            assert (await backend.look(first.request_id)).first_delivered_at is not None
            await anyio.sleep(later)
        else:
            at = scene.cloud.requests[first.request_id].response_at or 0
            await anyio.sleep(at + later - now())
        second = await backend.create(scene.loop, approval(), "k", {})
        assert (second.request_id == first.request_id, second.repeat) == (same, repeat)


async def test_a_key_whose_create_stayed_unknown_looks_first_when_it_is_used_again(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        scene.cloud.misbehave(Fault("drop", on=KEY, effect="done"), Fault("html", on="list_requests", times=3))
        with pytest.raises(Unreachable):
            await backend.create(scene.loop, approval(), "k", {})
        scene.cloud.behave()
        created = await backend.create(scene.loop, approval(), "k", {})
    assert list(scene.cloud.requests) == [created.request_id]
    assert posts(scene) == 1
