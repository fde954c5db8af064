"""Requests born as reviews: what is kept of them, when they are wanted, and whom they are meant for (our addition)."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from hitl_mcp.contract import routes
from tests.rest.backend import QUESTION, Backend, Reply
from tests.rest.test_forms import CONFIG
from tests.world import but_for_channels

DUE = "2026-03-02T09:30:00+02:00"
REVIEW: dict[str, Any] = {"template_id": "content_review", "content": {"text": "Hi", "n": [1, None]}, "assignees": []}
FORM: dict[str, Any] = {"response_type": "form", "response_config": CONFIG, "default_response": None}


def somebody() -> str:
    """An address nobody has."""
    return f"{secrets.token_hex(6)}@example.com"


def change(backend: Backend, request_id: str, **fields: Any) -> Reply:
    """A change of the owner's request."""
    return backend.key.send("PATCH", routes.REQUEST.format(request_id=request_id), fields)


def people(backend: Backend, loop: str) -> dict[str, str]:
    """Who is in a loop, and how."""
    listed = backend.key.get(routes.MEMBERS.format(loop_id=loop)).data["members"]
    return {one["email"]: one["status"] for one in listed}


def test_a_review_is_echoed_with_its_due_time(backend: Backend, loop: str) -> None:
    reply = backend.key.ask(loop, due_at=DUE, review=REVIEW, **FORM)
    assert but_for_channels(reply.data["notes"]) == []
    asked = reply.data["request_id"]
    for request in (reply.data["request"], backend.key.request(asked).data["request"]):
        assert (request["due_at"], request["review"], request["dialect"]) == ("2026-03-02T07:30:00Z", REVIEW, "review")
    assert request["timeout_at"] > request["due_at"], "no timeout: it is past, and the request waits"
    assert request["status"] == "pending"
    content = {**REVIEW, "content": {"text": "Hello"}}
    changed = change(backend, asked, due_at="2027-03-02T09:30:00Z", review=content)
    assert (changed.status, changed.data["notes"]) == (200, [])
    request = changed.data["request"]
    assert (request["due_at"], request["review"], request["revision"]) == ("2027-03-02T09:30:00Z", content, 2)
    gone = change(backend, asked, due_at=None).data["request"]
    assert (gone["due_at"], gone["review"]) == (None, content)
    plain = backend.key.ask(loop).data["request"]
    assert (plain["due_at"], plain["review"], plain["dialect"]) == (None, None, None)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"due_at": "2026-03-02T09:30:00"}, "due_at"),
    ({"due_at": 1_800_000_000}, "due_at must be a time with its zone"),
    ({"due_at": "0001-01-01T00:00:00Z"}, "due_at must be a time between"),
    ({"due_at": "9999-12-31T23:59:59Z"}, "due_at must be a time between"),
    ({"review": "x"}, "review"),
    ({"review": {"assignees": "ada@example.com"}}, "review.assignees"),
    ({"review": {"assignees": ["x" * 321]}}, "review.assignees.0"),
    ({"review": {"assignees": ["a@b.cd"] * 51}}, "review.assignees"),
    ({"review": {"content": []}}, "review.content"),
]


@pytest.mark.parametrize(("fields", "words"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_a_review_that_does_not_fit(backend: Backend, loop: str, fields: dict[str, Any], words: str) -> None:
    asked = backend.key.asked(loop)
    for reply in (backend.key.ask(loop, **fields), change(backend, asked, **fields)):
        assert reply.status == 400 and reply.data.startswith(words), reply.body


def test_a_review_is_asked_once_with_an_idempotency_key(backend: Backend, loop: str) -> None:
    path, headers = routes.LOOP_REQUESTS.format(loop_id=loop), {"Idempotency-Key": secrets.token_hex(8)}
    body = QUESTION | {"due_at": DUE, "review": REVIEW}
    first = backend.key.post(path, body, headers)
    again = backend.key.post(path, body, headers)
    assert (first.status, again.status) == (201, 200)
    assert again.data["request_id"] == first.data["request_id"]
    for other in ({"due_at": "2026-03-02T10:30:00Z"}, {"review": REVIEW | {"content": {"text": "Ho"}}}):
        assert backend.key.post(path, body | other, headers).status == 409, other


def test_assignees_are_invited_and_named_until_they_are_let_in(backend: Backend, loop: str) -> None:
    ada, owner = somebody(), next(iter(people(backend, loop)))
    review = REVIEW | {"assignees": [ada, ada.upper(), owner or "no-address", "the team"]}
    notes = backend.key.ask(loop, review=review).data["notes"]
    assert [note for note in notes if ada in note] == [
        f"Not reachable: {ada} is not an active member of the loop; they were invited, and they wait to be let in: "
        "an active member of the loop confirms them on the inbox's People page."
    ]
    assert any("the team" in note and "no e-mail address" in note for note in notes)
    assert people(backend, loop)[ada] == "pending", "a request alone lets nobody in"
    again = but_for_channels(backend.key.ask(loop, review=REVIEW | {"assignees": [ada]}).data["notes"])
    assert len(again) == 1 and "wait to be let in" in again[0]
    listed = backend.key.get(routes.MEMBERS.format(loop_id=loop)).data["members"]
    backend.let_in(loop, next(one["user_id"] for one in listed if one["email"] == ada))
    assert but_for_channels(backend.key.ask(loop, review=REVIEW | {"assignees": [ada]}).data["notes"]) == []


def test_who_may_not_invite_is_told_so(backend: Backend, loop: str) -> None:
    ada = somebody()
    asker = backend.new_key("requests:write", "loops:read")
    notes = but_for_channels(asker.ask(loop, review=REVIEW | {"assignees": [ada]}).data["notes"])
    assert len(notes) == 1 and ada in notes[0] and "lacks the scope members:write" in notes[0]
    assert ada not in people(backend, loop)


def test_other_assignees_are_invited_on_a_change(backend: Backend, loop: str) -> None:
    ada, grace = somebody(), somebody()
    asked = backend.key.asked(loop, review=REVIEW | {"assignees": [ada]})
    reply = change(backend, asked, review=REVIEW | {"assignees": [grace]})
    assert reply.data["request"]["review"]["assignees"] == [grace]
    assert len(reply.data["notes"]) == 1 and f"{grace} is not an active member" in reply.data["notes"][0]
    assert {ada, grace} <= people(backend, loop).keys()
    user = next(
        one["user_id"]
        for one in backend.key.get(routes.MEMBERS.format(loop_id=loop)).data["members"]
        if one["email"] == grace
    )
    backend.key.delete(routes.MEMBER.format(loop_id=loop, user_id=user))
    same = change(backend, asked, review=REVIEW | {"assignees": [grace], "content": {}})
    assert len(same.data["notes"]) == 1 and grace not in people(backend, loop), "only others are invited"
