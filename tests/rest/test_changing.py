"""Cancel, change and feedback (sections 2.6 and 2.7)."""

from __future__ import annotations

from typing import Any

import pytest

from hitl_mcp.contract import routes
from tests.rest.backend import Backend, Reply

NO_ID = "0" * 24


def cancel(backend: Backend, request_id: str) -> Reply:
    """Withdraw with the owner's key."""
    return backend.key.delete(routes.REQUEST.format(request_id=request_id))


def change(backend: Backend, request_id: str, **fields: Any) -> Reply:
    """PATCH with the owner's key."""
    return backend.key.send("PATCH", routes.REQUEST.format(request_id=request_id), fields)


def rate(backend: Backend, request_id: str, feedback: Any) -> Reply:
    """Feedback with the owner's key."""
    return backend.key.post(routes.REQUEST_FEEDBACK.format(request_id=request_id), {"feedback": feedback})


def completed(backend: Backend, loop: str) -> str:
    """A request that somebody answered."""
    asked = backend.key.asked(loop)
    assert backend.answer(asked, "Approve").status == 200
    return asked


def ended(backend: Backend, loop: str) -> dict[str, str]:
    """A request in each final state."""
    cancelled, expired, done = backend.key.asked(loop), backend.key.asked(loop, timeout_seconds=60), ""
    cancel(backend, cancelled)
    backend.clock.move(60)
    done = completed(backend, loop)
    return {"cancelled": cancelled, "timeout": expired, "completed": done}


def test_a_pending_request_is_cancelled(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop)
    reply = cancel(backend, asked.upper())
    assert reply.said == (200, "Request cancelled successfully")
    data = reply.data
    assert (data["request_id"], data["status"], data["previous_status"]) == (asked, "cancelled", "pending")
    assert data["refund_info"] == {"refunded": True, "reason": "nobody had taken the request"}
    now = backend.key.request(asked).data
    assert (now["status"], now["request"]["status"], now["response_data"]) == ("cancelled", "cancelled", None)
    assert now["request"]["cancelled_at"] == data["cancelled_at"] is not None
    assert backend.answer(asked, "Approve").status == 409


def test_a_claimed_request_is_cancelled_too(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop)
    backend.claim(asked)
    path = routes.REQUEST.format(request_id=asked)
    reply = backend.key.send("DELETE", path, {"reason": "changed my mind"})
    assert (reply.status, reply.data["previous_status"]) == (200, "claimed")
    assert reply.data["refund_info"] == {"refunded": False, "reason": "somebody had taken the request"}
    request = backend.key.request(asked).data["request"]
    assert (request["status"], request["claimed_by"]) == ("cancelled", None)


def test_what_is_final_is_not_cancelled_and_not_changed(backend: Backend, loop: str) -> None:
    for state, request_id in ended(backend, loop).items():
        refused = (400, "Request cannot be cancelled in current state", state)
        assert cancel(backend, request_id).refusal == refused
        refused = (400, "Request cannot be updated in current state", state)
        assert change(backend, request_id, request_text="Other?").refusal == refused
        assert backend.key.request(request_id).data["request"]["status"] == state


def test_only_the_key_that_asked_may_cancel_change_or_rate(backend: Backend, loop: str) -> None:
    asked, done = backend.key.asked(loop), completed(backend, loop)
    denied = (403, "Access denied to this request", None)
    for caller in (backend.second, backend.other):
        path = routes.REQUEST.format(request_id=asked)
        assert caller.delete(path).refusal == denied
        assert caller.send("PATCH", path, {"request_text": "Mine?"}).refusal == denied
        feedback = caller.post(routes.REQUEST_FEEDBACK.format(request_id=done), {"feedback": {"rating": 1}})
        assert feedback.refusal == denied
    missing = routes.REQUEST.format(request_id=NO_ID)
    for method in ("DELETE", "PATCH"):
        assert backend.key.send(method, missing, {"request_text": "?"}).refusal == (404, "Request not found", None)
    assert rate(backend, NO_ID, {"rating": 1}).refusal == (404, "Request not found", None)
    for method, path in (("DELETE", "/v1/api/requests/x"), ("POST", "/v1/api/requests/x/feedback")):
        bad = backend.key.send(method, path, {"feedback": {"rating": 1}})
        assert bad.said == (400, "Invalid request ID format")


CHANGES: dict[str, Any] = {
    "request_text": "Really?",
    "priority": "critical",
    "context": {"new": True},
    "callback_url": "https://example.com/other",
    "tags": ["late"],
    "default_response": "Approve",
}


@pytest.mark.parametrize("field", CHANGES)
def test_each_field_that_may_change(backend: Backend, loop: str, field: str) -> None:
    asked = backend.key.asked(loop)
    before = backend.key.request(asked).data["request"]
    reply = change(backend, asked, **{field: CHANGES[field]})
    assert reply.said == (200, "Request updated successfully")
    after = backend.key.request(asked).data["request"]
    assert after[field] == reply.data["request"][field] == CHANGES[field]
    assert after["revision"] == 2
    same = set(before) - {field, "revision", "updated_at", "view_digest"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def test_options_change_with_their_default(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop)
    config = {"options": ["Ship", "Wait"]}
    refused = change(backend, asked, response_config=config)
    words = "default_response must match one of the configured options"
    assert refused.refusal == (400, "Invalid default response", words)
    request = change(backend, asked, response_config=config, default_response="Wait").data["request"]
    assert (request["response_config"], request["default_response"]) == (config, "Wait")
    assert change(backend, asked, response_config={}).said == (400, "Invalid response configuration")


def test_a_new_deadline_counts_from_the_change(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop, timeout_seconds=60)
    backend.clock.move(50)
    assert change(backend, asked, timeout_seconds=60).status == 200
    backend.clock.move(59)
    assert backend.key.request(asked).data["status"] == "pending"
    backend.clock.move(1)
    assert backend.key.request(asked).data["status"] == "timed_out"


def test_a_change_takes_the_request_back_from_who_has_it_open(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop)
    backend.claim(asked)
    assert change(backend, asked, request_text="Other?").data["request"]["status"] == "pending"
    old = backend.answer(asked, "Approve", revision=1)
    assert old.status == 409, "the answer belongs to what was seen (H4)"
    assert backend.answer(asked, "Approve", revision=2).status == 200


@pytest.mark.parametrize(
    ("wrong", "msg", "data"),
    [
        ({}, "At least one field must be provided for update", None),
        ({"status": "completed"}, "Validation failed", "status is not taken here"),
        ({"response_data": "Approve"}, "Validation failed", "response_data is not taken here"),
        ({"response_type": "text"}, "Validation failed", "response_type is not taken here"),
        ({"loop_id": NO_ID}, "Validation failed", "loop_id is not taken here"),
        ({"request_text": ""}, "Request text is required", "request_text must be between 1 and 2000 characters"),
        ({"request_text": "x" * 2001}, "Validation failed", "request_text must be between 1 and 2000 characters"),
        ({"priority": "urgent"}, "Validation failed", "priority must be one of: low, medium, high, critical"),
        ({"priority": None}, "Validation failed", "request_text and priority must not be null"),
        ({"timeout_seconds": 86_401}, "Validation failed", "timeout_seconds must be at most 86400"),
        ({"timeout_seconds": 59}, "Validation failed",
         "timeout_seconds must be between 60 and 86400 (time-sensitive) or 2592000 (deferred)"),
        ({"callback_url": "hook"}, "Validation failed", "callback_url must be an absolute http or https address"),
    ],
)  # fmt: skip
def test_a_change_that_does_not_fit(
    backend: Backend, loop: str, wrong: dict[str, Any], msg: str, data: str | None
) -> None:
    asked = backend.key.asked(loop)
    assert change(backend, asked, **wrong).refusal == (400, msg, data)
    assert backend.key.request(asked).data["request"]["revision"] == 1


FEEDBACK: dict[str, Any] = {
    "rating": 5,
    "accuracy": 1,
    "timeliness": 3,
    "helpfulness": 4,
    "comment": "c" * 1000,
    "would_recommend": False,
    "tags": ["clear"],
    "follow_up_needed": True,
    "category": "constructive",
    "our_own": {"kept": 1},
}


def test_feedback_with_every_field_once(backend: Backend, loop: str) -> None:
    done = completed(backend, loop)
    reply = rate(backend, done, FEEDBACK)
    assert reply.said == (200, "Feedback added successfully")
    assert (reply.data["request_id"], reply.data["feedback"]) == (done, FEEDBACK)
    assert len(reply.data["feedback_id"]) == 24
    assert reply.data["submitted_at"].endswith("Z")
    assert reply.data["reviewer_notified"] is False
    second = rate(backend, done, {"rating": 1})
    assert second.refusal == (409, "Feedback was already added to this request", {"request_id": done})


@pytest.mark.parametrize("category", ["positive", "constructive", "issue"])
def test_each_category_of_feedback(backend: Backend, loop: str, category: str) -> None:
    assert rate(backend, completed(backend, loop), {"category": category}).status == 200


def test_feedback_is_for_completed_requests(backend: Backend, loop: str) -> None:
    states = ended(backend, loop)
    states.pop("completed")
    states["pending"] = backend.key.asked(loop)
    for state, request_id in states.items():
        refused = (400, "Feedback can only be added to completed requests", state)
        assert rate(backend, request_id, {"rating": 5}).refusal == refused


MARKS = "Rating values must be between 1 and 5"


@pytest.mark.parametrize(
    ("wrong", "msg"),
    [
        ({"rating": 0}, MARKS),
        ({"rating": 6}, MARKS),
        ({"accuracy": 4.5}, MARKS),
        ({"timeliness": "5"}, MARKS),
        ({"helpfulness": True}, MARKS),
        ({"comment": "c" * 1001}, "Comment exceeds maximum length of 1000 characters"),
        ({"category": "other"}, "Validation failed"),
        ({"tags": "clear"}, "Invalid request body"),
        ({}, "Validation failed"),
        ("good", "Invalid request body"),
    ],
)
def test_feedback_that_does_not_fit(backend: Backend, loop: str, wrong: Any, msg: str) -> None:
    done = completed(backend, loop)
    assert rate(backend, done, wrong).said == (400, msg)
    missing = backend.key.post(routes.REQUEST_FEEDBACK.format(request_id=done), {})
    assert missing.refusal == (400, "Validation failed", "feedback is required")
    assert rate(backend, done, {"rating": 1}).status == 200, "nothing was kept"
