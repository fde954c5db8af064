"""Get and list requests: the object, its flat copies, filters, order and pages (section 2.5, compatibility 1)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hitl_mcp.contract import routes
from tests.rest.backend import QUESTION, Backend, Caller

NO_ID = "0" * 24
OBJECT = {
    "id", "loop_id", "creator_id", "api_key_id", "processing_type", "type", "priority", "request_text", "image_url",
    "context", "platform", "platform_version", "response_type", "response_config", "default_response", "timeout_at",
    "callback_url", "broadcasted_to", "broadcasted_at", "status", "response_by", "response_at", "response_data",
    "response_time_seconds", "created_at", "updated_at", "user_agent", "claimed_by", "claimed_at", "cancelled_at",
}  # fmt: skip
"""The fields of a request object; `response_by_user` is asked for where somebody answered."""


def test_a_pending_request(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop)
    reply = backend.key.request(asked.upper())
    assert reply.said == (200, "Request retrieved successfully")
    request = reply.data["request"]
    assert set(request) >= OBJECT
    assert (request["id"], request["loop_id"]) == (asked, loop)
    assert (request["creator_id"], request["api_key_id"]) == (backend.key.user_id, backend.key.key_id)
    assert request["status"] == "pending"
    for name in ("response_by", "response_at", "response_data", "response_time_seconds", "claimed_by", "cancelled_at"):
        assert request[name] is None
    assert request["broadcasted_at"] == request["created_at"]
    (reached,) = request["broadcasted_to"]
    assert reached == {
        "user_id": backend.key.user_id, "email": None, "role": "member", "notification_sent": False,
        "notification_error": None,
    }  # fmt: skip


def test_the_flat_copies_that_pollers_read(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop, default_response="Approve")
    flat = {name: value for name, value in backend.key.request(asked).data.items() if name != "request"}
    assert flat == {"status": "pending", "response_data": None, "default_response": "Approve"}
    backend.answer(asked, "Needs Changes")
    data = backend.key.request(asked).data
    assert (data["status"], data["response_data"]) == ("completed", "Needs Changes"), "as the option was written"


def test_an_answered_request(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop)
    backend.clock.move(12.5)
    backend.answer(asked, "Approve")
    request = backend.key.request(asked).data["request"]
    assert request["status"] == "completed"
    assert request["response_data"] == "Approve"
    assert request["response_by"] == backend.key.user_id
    assert request["response_by_user"]["id"] == backend.key.user_id
    assert set(request["response_by_user"]) == {"id", "name", "email"}
    assert request["response_time_seconds"] == 12.5
    at = datetime.fromtimestamp(backend.clock() / 1000, UTC)
    assert datetime.fromisoformat(request["response_at"]) == at


def test_an_expired_request_is_timed_out_beside_and_timeout_inside(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop)
    backend.clock.move(3599.999)
    assert backend.key.request(asked).data["status"] == "pending"
    backend.clock.move(0.001)
    data = backend.key.request(asked).data
    assert (data["status"], data["request"]["status"]) == ("timed_out", "timeout")
    assert (data["response_data"], data["default_response"]) == (None, "Reject"), "the default stays beside (4.3)"
    assert backend.answer(asked, "Approve").status == 409, "too late"


def test_a_claimed_request(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop)
    backend.claim(asked)
    request = backend.key.request(asked).data["request"]
    assert (request["status"], request["claimed_by"]) == ("claimed", backend.key.user_id)
    backend.clock.move(15 * 60)
    assert backend.key.request(asked).data["status"] == "pending", "a claim is given up after 15 minutes"


def test_who_may_read_a_request(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop)
    assert backend.second.request(asked).status == 200, "another key of a member"
    assert backend.other.request(asked).refusal == (403, "Access denied to this request", None)
    assert backend.other.get(routes.LOOP_REQUESTS.format(loop_id=loop)).refusal == (
        403, "Access denied to this loop", None
    )  # fmt: skip
    assert backend.key.request(NO_ID).refusal == (404, "Request not found", None)
    words = "an id has 24 characters 0-9 and a-f"
    for wrong in ("1", "g" * 24, "0" * 23, "0" * 25):
        assert backend.key.request(wrong).refusal == (400, "Invalid request ID format", words)


def fresh_key(backend: Backend) -> tuple[Caller, str]:
    """A key of a person of its own with a loop, so that its list holds what the test made."""
    key = backend.new_key("loops:write", "loops:read", "requests:read", "requests:write", email="lists@example.com")
    return key, key.new_loop()


def ids(data: dict[str, Any]) -> list[str]:
    """The requests of a page."""
    return [request["id"] for request in data["requests"]]


def test_a_key_lists_its_own_requests_newest_first(backend: Backend) -> None:
    key, loop = fresh_key(backend)
    assert key.get(routes.REQUESTS).data == {
        "requests": [], "count": 0, "total": 0, "has_more": False,
        "pagination": {"limit": 50, "offset": 0, "next_offset": None},
    }  # fmt: skip
    made: list[str] = []
    for _ in range(3):
        made.append(key.asked(loop))
        backend.clock.move(1)
    another = backend.new_key(email="lists@example.com")
    another.asked(loop)
    reply = key.get(routes.REQUESTS)
    assert reply.said == (200, "Requests retrieved successfully")
    assert ids(reply.data) == made[::-1]
    assert (reply.data["count"], reply.data["total"], reply.data["has_more"]) == (3, 3, False)
    assert reply.data["requests"][0]["request_text"] == QUESTION["request_text"]
    assert ids(key.get(routes.REQUESTS, sort="created_at_asc").data) == made
    first = key.get(routes.REQUESTS, limit=2, sort="created_at_asc").data
    assert (ids(first), first["has_more"]) == (made[:2], True)
    assert first["pagination"] == {"limit": 2, "offset": 0, "next_offset": 2}
    last = key.get(routes.REQUESTS, limit=2, offset=2, sort="created_at_asc").data
    assert (ids(last), last["count"], last["total"], last["has_more"]) == (made[2:], 1, 3, False)
    assert last["pagination"] == {"limit": 2, "offset": 2, "next_offset": None}
    beyond = key.get(routes.REQUESTS, offset=3).data
    assert (ids(beyond), beyond["total"]) == ([], 3)
    then = key.request(made[1]).data["request"]["created_at"]
    assert ids(key.get(routes.REQUESTS, created_before=then).data) == made[:1]


def test_filters_and_the_other_orders(backend: Backend) -> None:
    key, loop = fresh_key(backend)
    elsewhere = key.new_loop("Elsewhere")
    made: dict[str, str] = {}
    for priority in ("low", "critical", "medium", "high"):
        made[priority] = key.asked(loop if priority != "high" else elsewhere, priority=priority)
        backend.clock.move(1)
    everything = [made[name] for name in ("critical", "high", "medium", "low")]
    assert ids(key.get(routes.REQUESTS, sort="priority_desc").data) == everything
    for name, request_id in made.items():
        assert ids(key.get(routes.REQUESTS, priority=name).data) == [request_id]
    assert ids(key.get(routes.REQUESTS, loop_id=elsewhere.upper()).data) == [made["high"]]
    key.delete(routes.REQUEST.format(request_id=made["low"]))
    owner = backend.reviewer("lists@example.com")
    backend.answer(made["high"], "Approve", by=owner)
    owner.post(routes.REQUEST_CLAIM.format(request_id=made["critical"]))
    expected = {"pending": "medium", "claimed": "critical", "completed": "high", "cancelled": "low"}
    for status, name in expected.items():
        found = key.get(routes.REQUESTS, status=status).data
        assert (ids(found), found["requests"][0]["status"]) == ([made[name]], status)
    assert ids(key.get(routes.REQUESTS, sort="status_asc").data) == [
        made[expected[status]] for status in sorted(expected)
    ]
    backend.clock.move(3600)
    overdue = {made["medium"], made["critical"]}
    for word in ("timeout", "timed_out"):
        assert set(ids(key.get(routes.REQUESTS, status=word).data)) == overdue
    assert ids(key.get(routes.REQUESTS, status="pending").data) == []
    both = key.get(routes.REQUESTS, status="timeout", priority="medium", loop_id=loop).data
    assert (ids(both), both["total"]) == ([made["medium"]], 1)


def test_a_loops_requests_are_those_of_every_key(backend: Backend, loop: str) -> None:
    made = {backend.key.asked(loop), backend.second.asked(loop, priority="high")}
    reply = backend.key.get(routes.LOOP_REQUESTS.format(loop_id=loop.upper()))
    assert reply.said == (200, "Loop requests retrieved successfully")
    assert (reply.data["loop_id"], reply.data["count"], set(ids(reply.data))) == (loop, 2, made)
    high = backend.key.get(routes.LOOP_REQUESTS.format(loop_id=loop), priority="high", limit=1).data
    assert (high["count"], high["requests"][0]["api_key_id"]) == (1, backend.second.key_id)


LIMIT, OFFSET = "limit must be between 1 and 100", "offset must be between 0 and 1000000"
REFUSED = [
    ("status", "open", "Invalid status filter value",
     "status must be one of: pending, claimed, completed, timeout, cancelled"),
    ("limit", "0", "Invalid pagination parameters", LIMIT),
    ("limit", "101", "Invalid pagination parameters", LIMIT),
    ("limit", "ten", "Invalid pagination parameters", LIMIT),
    ("offset", "-1", "Invalid pagination parameters", OFFSET),
    ("priority", "urgent", "Validation failed", "priority must be one of: low, medium, high, critical"),
    ("sort", "random", "Validation failed",
     "sort must be one of: created_at_desc, created_at_asc, priority_desc, status_asc"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "msg", "data"), REFUSED)
def test_a_filter_that_means_nothing(
    backend: Backend, loop: str, name: str, value: str, msg: str, data: str
) -> None:  # fmt: skip
    for path in (routes.REQUESTS, routes.LOOP_REQUESTS.format(loop_id=loop)):
        assert backend.key.get(path, **{name: value}).refusal == (400, msg, data)


def test_the_bounds_of_a_page(backend: Backend, loop: str) -> None:
    backend.key.asked(loop)
    for limit in (1, 100):
        page = backend.key.get(routes.LOOP_REQUESTS.format(loop_id=loop), limit=limit).data
        assert (page["count"], page["pagination"]["limit"]) == (1, limit)
    assert backend.key.get(routes.REQUESTS, loop_id="mine").refusal == (
        400, "Invalid loop ID format", "an id has 24 characters 0-9 and a-f"
    )  # fmt: skip
    assert backend.key.get(routes.REQUESTS, created_before="yesterday").said == (400, "Validation failed")


def test_waiting_returns_with_the_decision_or_says_that_it_is_pending(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop)
    path = routes.REQUEST_WAIT.format(request_id=asked)
    waiting = backend.key.get(path, timeout=0)
    assert waiting.said == (408, "Request is still pending")
    assert (waiting.body["error"], waiting.data["pending"], waiting.data["status"]) == (False, True, "pending")
    backend.answer(asked, "Approve")
    done = backend.key.get(path, timeout=10)
    assert (done.said, done.data["response_data"]) == ((200, "Request retrieved successfully"), "Approve")
    assert backend.key.get(path, timeout=301).status == 400


def test_waiting_for_a_question_is_asked_for(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop)
    path = routes.REQUEST_WAIT.format(request_id=asked)
    question = {"question": "Which region?"}
    assert backend.reviewer().post(routes.REQUEST_ASK.format(request_id=asked), question).status == 200
    assert backend.key.get(path, timeout=0).said == (408, "Request is still pending"), "who cannot know of it waits on"
    told = backend.key.get(path, timeout=60, until="question")
    assert (told.status, told.data["status"], told.data["response_data"]) == (200, "pending", None)
    assert told.data["request"]["reviewer_question"]["question"] == "Which region?"
    answered = backend.key.send("PATCH", routes.REQUEST.format(request_id=asked), {"reviewer_answer": "eu-west"})
    assert answered.status == 200
    assert backend.key.get(path, timeout=0, until="question").status == 408
    assert backend.key.get(path, timeout=0, until="noon").status == 400
