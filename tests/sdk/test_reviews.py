"""Reviews on every backend and with both clients (compatibility section 3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import anyio
import pandas
import pytest

from hitl_mcp import AsyncHITLClient
from hitl_mcp.contract.outcome import Outcome
from hitl_mcp.contract.states import Kind, Status
from hitl_mcp.errors import BadRequest, BatchFailed, NotFound, NotSupported, ReviewNotFound
from hitl_mcp.sdk.reviews.models import Review
from hitl_mcp.sdk.reviews.results import read_review
from tests.sdk.backends import Place
from tests.world import WAIT, but_for_channels

pytestmark = pytest.mark.anyio

FIELDS: list[dict[str, Any]] = [
    {"name": "text", "type": "text", "label": "Text", "required": True},
    {"name": "approved", "type": "boolean", "label": "Publish it?", "required": True},
    {"name": "feedback", "type": "text", "label": "Feedback"},
]
CONTENT: dict[str, Any] = {"text": "Buy now!", "source": "model-7"}


async def asked(client: AsyncHITLClient, loop: str, **more: Any) -> Review:
    """A review of a fresh template with fields."""
    template = await client.create_template(name="Content Review", fields=FIELDS)
    given: dict[str, Any] = {"template_id": template.id, "content": CONTENT, "loop_id": loop}
    return await client.create_review(**(given | more))


def decide(place: Place, review: Review, *, approve: bool, text: str = "Buy now!", revision: int = 1) -> None:
    """A person answers, as their backend lets them."""
    if place.kind == "cloud":
        place.answer(review.id, "Approve" if approve else "Reject")
    else:
        answer = {"text": text, "approved": approve, "feedback": "Calmer, please."}
        place.answer(review.id, answer, revision=revision)


async def test_a_review_lives(client: AsyncHITLClient, place: Place, loop: str) -> None:
    review = await asked(client, loop, assignees=["ada@example.com"], priority="high", due_date="2031-03-02T09:30:00Z")
    assert (review.id, review.get("state"), review.status) == (review["id"], "pending", Status.PENDING)
    assert review.result == {"text": "Buy now!", "source": "model-7", "approved": False, "feedback": None}
    seen = await client.get_review(review.id)
    assert (seen.state, seen.content, seen.template_id) == ("pending", CONTENT, review.template_id)
    assert (seen.assignees, seen.priority, seen.loop_id) == (["ada@example.com"], "high", loop)
    assert seen.due_date == datetime(2031, 3, 2, 9, 30, tzinfo=UTC)
    decide(place, review, approve=True, text="Have a look.")
    done = await client.wait_for_review(review.id, timeout=WAIT)
    assert (done.state, done.approved, done.result["approved"]) == ("completed", True, True)
    assert done.result["source"] == "model-7"
    if place.kind == "cloud":
        assert (done.result["text"], done.outcome) == ("Buy now!", Outcome.APPROVED)
    else:
        assert (done.result["text"], done.result["feedback"]) == ("Have a look.", "Calmer, please.")
        assert done.content == CONTENT, "what was given stays beside what became of it"


async def test_a_no_is_no_approval(client: AsyncHITLClient, place: Place, loop: str) -> None:
    review = await asked(client, loop)
    decide(place, review, approve=False)
    done = await client.wait_for_review(review.id, timeout=WAIT)
    assert (done.state, done.result["approved"]) == ("completed", False)


@pytest.mark.parametrize("end", ["cancelled", "timeout"])
async def test_what_nobody_answered_has_a_result_and_no_approval(
    client: AsyncHITLClient, place: Place, loop: str, end: str
) -> None:
    content = {"text": "Buy now!", "approved": True}
    review = await asked(client, loop, content=content, timeout_seconds=60)
    assert review.result["approved"] is False, "content is nobody's approval"
    fields = review.request.response_config.get("fields", [])
    assert [field.get("initial") for field in fields if field["name"] == "approved"] in ([], [None])
    if end == "cancelled":
        assert (await client.cancel_review(review.id)).state == "cancelled"
    else:
        place.move(61)
    done = await client.wait_for_review(review.id, timeout=WAIT)
    assert (done.state, done.result["text"], done.result.get("approved")) == (end, "Buy now!", False)


async def test_waiting_ends_with_the_decision_of_that_moment(client: AsyncHITLClient, place: Place, loop: str) -> None:
    review = await client.create_review(content=CONTENT, loop_id=loop)
    held: list[Review] = []

    async def wait() -> None:
        held.append(await client.wait_for_review(review.id))

    with anyio.fail_after(WAIT * 2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            place.answer(review.id, "Approve")
    assert held[0].result["approved"] is True


async def test_giving_up_waiting_leaves_it_open(client: AsyncHITLClient, loop: str) -> None:
    review = await client.create_review(content=CONTENT, loop_id=loop)
    waited = await client.wait_for_review(review.id, timeout=0.05)
    assert (waited.state, waited.result["approved"]) == ("pending", False)


@pytest.mark.parametrize(
    ("answer", "outcome"), [("Approve", Outcome.APPROVED), ("Needs Changes", Outcome.NEEDS_CHANGES)]
)
async def test_without_a_template_it_is_an_approval(
    client: AsyncHITLClient, place: Place, loop: str, answer: str, outcome: Outcome
) -> None:
    review = await client.create_review(content="Buy now!", loop_id=loop)
    assert review.request.kind is Kind.APPROVAL
    place.answer(review.id, answer)
    done = await client.get_review(review.id)
    assert (done.outcome, done.content) == (outcome, {"text": "Buy now!"})
    assert done.result["approved"] is (answer == "Approve")


async def test_an_id_of_any_form_that_nothing_has(client: AsyncHITLClient) -> None:
    for review_id in ("f" * 24, "rev_123", "", "../loops", "5", "a b", "ü" * 24):
        for work in (
            client.get_review, client.wait_for_review, client.cancel_review,
        ):  # fmt: skip
            with pytest.raises(ReviewNotFound) as caught:
                await work(review_id)
            assert "review" in str(caught.value)


async def test_an_update_merges(client: AsyncHITLClient, place: Place, loop: str) -> None:
    review = await asked(client, loop)
    if place.kind == "cloud":
        for name, work in (
            ("update_review", client.update_review(review.id, content={"text": "x"})),
            ("reassign_review", client.reassign_review(review.id, ["bob@example.com"])),
        ):
            with pytest.raises(NotSupported) as caught:
                await work
            assert (caught.value.operation, caught.value.backend) == (name, "cloud")
        return
    changed = await client.update_review(review.id, content={"text": "Buy later!", "extra": 1})
    assert changed.content == {"text": "Buy later!", "source": "model-7", "extra": 1}
    assert changed.result["text"] == "Buy later!"
    assert changed.request.revision == 2
    assert changed.request.response_config["fields"][0]["initial"] == "Buy later!", "people see the new text"
    assert changed.request.context == {"source": "model-7", "extra": 1}
    again = await client.reassign_review(review.id, ["bob@example.com"])
    assert again.assignees == ["bob@example.com"]
    assert any("bob@example.com" in note for note in again.notes), "nobody knows him yet"
    assert again.content == changed.content
    decide(place, review, approve=True, text="Buy later!", revision=again.request.revision)
    assert (await client.get_review(review.id)).result["approved"] is True
    with pytest.raises(BadRequest):
        await client.update_review(review.id, content={"text": "too late"})
    with pytest.raises(ReviewNotFound):
        await client.update_review("rev_1", content={})


async def test_many_at_once_in_order(client: AsyncHITLClient, place: Place, loop: str) -> None:
    texts = [f"Text {number}" for number in range(5)]
    made = await client.create_reviews([{"content": {"text": text}, "loop_id": loop} for text in texts])
    assert [review.content["text"] for review in made] == texts
    with pytest.raises(BatchFailed) as caught:
        await client.create_reviews(
            [{"content": "fine", "loop_id": loop}, {"content": "bad", "loop_id": loop, "colour": "red"}]
        )
    results = caught.value.results
    assert isinstance(results[0], Review)
    assert isinstance(results[1], BadRequest)
    assert results[1].field == "colour"
    changes = [{"id": review.id, "content": {"text": "new"}} for review in made[:2]]
    if place.kind == "cloud":
        with pytest.raises(BatchFailed) as refused:
            await client.update_reviews(changes)
        assert all(isinstance(result, NotSupported) for result in refused.value.results)
        return
    changed = await client.update_reviews(changes)
    assert [(review.id, review.content["text"]) for review in changed] == [(made[0].id, "new"), (made[1].id, "new")]
    with pytest.raises(BatchFailed) as missing:
        await client.update_reviews([{"content": {}}, {"id": "nothing", "content": {}}])
    assert isinstance(missing.value.results[0], BadRequest)
    assert isinstance(missing.value.results[1], ReviewNotFound)


async def test_content_from_pandas(client: AsyncHITLClient, loop: str) -> None:
    pd: Any = pandas
    frame = pd.DataFrame({"price": [1.5, None], "when": pd.to_datetime(["2026-03-02", None])})
    review = await client.create_review(content={"rows": frame.to_dict(), "summary": frame.describe().to_dict()},
                                        loop_id=loop)  # fmt: skip
    rows = review.content["rows"]
    assert rows["price"] == {"0": 1.5, "1": None}
    assert rows["when"] == {"0": "2026-03-02T00:00:00", "1": None}
    assert review.content["summary"]["price"]["count"] == 1.0
    assert (await client.get_review(review.id)).content == review.content


async def test_people_who_cannot_be_reached_are_named(client: AsyncHITLClient, place: Place, loop: str) -> None:
    review = await client.create_review(content=CONTENT, loop_id=loop, assignees="stranger@example.com")
    assert review.assignees == ["stranger@example.com"]
    assert any("stranger@example.com" in note for note in review.notes), review.notes


async def test_what_a_backend_without_forms_cannot_ask_is_named(
    client: AsyncHITLClient, place: Place, loop: str
) -> None:
    review = await asked(client, loop)
    if place.kind != "cloud":
        assert but_for_channels(review.notes) == []
        return
    assert any("text, feedback" in note for note in review.notes), review.notes
    assert (await client.get_review(review.id)).notes == review.notes
    assert (review.request.context or {})["content"] == CONTENT


async def test_content_that_does_not_fit_its_field_is_shown(client: AsyncHITLClient, place: Place, loop: str) -> None:
    if place.kind == "cloud":
        return  # everything is shown there
    fields = [{"name": "score", "type": "rating"}, {"name": "body", "type": "text"}, {"name": "ok", "type": "boolean"}]
    template = await client.create_template(name="Odd", fields=fields)
    content = {"score": "many", "body": "x" * 6000, "ok": True}
    review = await client.create_review(template.id, content, loop_id=loop)
    asked_for = {field["name"]: field for field in review.request.response_config["fields"]}
    assert (asked_for["body"]["type"], asked_for["body"]["initial"]) == ("rich_text", content["body"])
    assert asked_for["ok"]["initial"] is True, "only what is called approved is never filled in"
    assert review.request.context == {"score": "many"}
    assert any("'score'" in note for note in review.notes)
    assert any("`approved`" in note for note in review.notes), "nothing in this form approves"
    place.answer(review.id, {"score": None, "body": "shorter", "ok": True})
    done = await client.get_review(review.id)
    assert done.result == {"score": "many", "body": "shorter", "ok": True, "approved": False, "feedback": None}


@pytest.mark.parametrize(
    ("due", "kept"),
    [
        ("2031-03-02", datetime(2031, 3, 2, 23, 59, 59).astimezone()),
        ("2031-03-02T10:00:00", datetime(2031, 3, 2, 10).astimezone()),
        (datetime(2031, 3, 2, 10, tzinfo=UTC), datetime(2031, 3, 2, 10, tzinfo=UTC)),
        ("2020-01-01T00:00:00+02:00", datetime(2019, 12, 31, 22, tzinfo=UTC)),
    ],
)
async def test_a_due_date_is_a_target(client: AsyncHITLClient, loop: str, due: Any, kept: datetime) -> None:
    review = await client.create_review(content=CONTENT, loop_id=loop, due_date=due)
    assert review.due_date == kept
    assert review.state == "pending", "a past one closes nothing"


async def test_arguments_that_do_not_fit_are_named(client: AsyncHITLClient, loop: str) -> None:
    bad: list[tuple[dict[str, Any], str]] = [
        ({"due_date": "soon"}, "due_date"), ({"priority": "extreme"}, "priority"), ({"content": b"x"}, "content"),
        ({"assignees": [7]}, "assignees.0"), ({"color": "red"}, "color"),
    ]  # fmt: skip
    for more, field in bad:
        with pytest.raises(BadRequest) as caught:
            given: dict[str, Any] = {"content": CONTENT, "loop_id": loop}
            await client.create_review(**(given | more))
        assert caught.value.field == field


async def test_which_loop(client: AsyncHITLClient, loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"Reviews {loop}"
    other = (await client.create_loop(name)).loop.id
    assert (await client.create_review(content=CONTENT, loop_id=name)).loop_id == other
    with pytest.raises(BadRequest) as caught:
        await client.create_review(content=CONTENT)
    assert name in str(caught.value)
    assert "HITL_LOOP" in str(caught.value)
    monkeypatch.setenv("HITL_LOOP", name)
    assert (await client.create_review(content=CONTENT)).loop_id == other
    template = await client.create_template(name="Elsewhere", fields=FIELDS, loop_id=loop)
    assert (await client.create_review(template.id, CONTENT)).loop_id == loop, "the template's goes before the setting"


async def test_a_template_that_is_not_there(client: AsyncHITLClient, loop: str) -> None:
    made = await client.create_template(name="Data QA", fields=FIELDS)
    with pytest.raises(NotFound) as caught:
        await client.create_review("no such template", CONTENT, loop_id=loop)
    assert "data_qa" in str(caught.value)
    assert made.id in str(caught.value)


async def test_only_a_persons_own_yes_is_approved(client: AsyncHITLClient, place: Place, loop: str) -> None:
    review = await asked(client, loop)
    decide(place, review, approve=True)
    done = await client.get_review(review.id)
    assert done.result["approved"] is True
    request = done.request
    changes: list[dict[str, Any]] = [
        {"response_by": None}, {"response_at": None}, {"response_at": request.timeout_at}, {"decided_revision": 9},
        {"status": Status.TIMEOUT}, {"status": Status.CANCELLED}, {"status": Status.PENDING}, {"response_data": True},
        {"response_data": "true"}, {"response_data": {"approved": "true"}}, {"response_data": {"approved": 1}},
        {"response_config": {}},
    ]  # fmt: skip
    for change in changes:
        result = read_review(request.model_copy(update=change)).result
        assert result["approved"] is False, change


async def test_a_form_that_is_no_review_approves_nothing(client: AsyncHITLClient, place: Place, loop: str) -> None:
    if place.kind == "cloud":
        return  # it has no forms
    created = await client.create_request(
        loop, request_text="Sure?", response_type="form", response_config={"fields": FIELDS}
    )
    place.answer(created.id, {"text": "t", "approved": True, "feedback": None})
    done = await client.get_review(created.id)
    assert (done.state, done.result["approved"]) == ("completed", False), "H6"
