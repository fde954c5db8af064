"""Create request: every field, its limits and its words (section 2.4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hitl_mcp.contract import routes
from tests.rest.backend import QUESTION, Backend
from tests.world import but_for_channels

TEXT_RANGE = "request_text must be between 1 and 2000 characters"
TIME_RANGE = "timeout_seconds must be between 60 and 86400 (time-sensitive) or 2592000 (deferred)"
FULL: dict[str, Any] = QUESTION | {
    "timeout_seconds": 90,
    "priority": "critical",
    "platform": "n8n",
    "platform_version": "1.2.3",
    "context": {"order": 5, "nested": {"deep": [1, 2.5, None, True]}},
    "callback_url": "https://example.com/hook?x=1",
    "tags": ["money", "eu"],
}


def moment(text: str) -> datetime:
    """A time of the wire: ISO 8601, UTC, with Z."""
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


def due_in(backend: Backend, seconds: float) -> datetime:
    """So long after the service's now."""
    return datetime.fromtimestamp(backend.clock() / 1000, UTC) + timedelta(seconds=seconds)


def test_the_reply_to_create_has_every_field(backend: Backend, loop: str) -> None:
    reply = backend.key.post(routes.LOOP_REQUESTS.format(loop_id=loop), FULL)
    assert reply.said == (201, "Request created and broadcasted successfully")
    data = reply.data
    assert len(data["request_id"]) == 24
    assert data["status"] == "pending"
    assert [data[name] for name in ("processing_type", "type", "priority")] == [
        "time-sensitive", "markdown", "critical"
    ]  # fmt: skip
    assert moment(data["timeout_at"]) == due_in(backend, 90)
    assert (data["broadcasted_to"], data["notifications_sent"]) == (1, 0)
    assert data["polling_url"] == f"/v1/api/requests/{data['request_id']}"
    assert but_for_channels(data["notes"]) == []
    assert data["joined"] is False and data["request"]["id"] == data["request_id"]


def test_every_field_comes_back_as_it_was_sent(backend: Backend, loop: str) -> None:
    asked = backend.key.post(routes.LOOP_REQUESTS.format(loop_id=loop), FULL).data["request_id"]
    request = backend.key.request(asked).data["request"]
    assert {name: request[name] for name in FULL if name != "timeout_seconds"} == {
        name: value for name, value in FULL.items() if name != "timeout_seconds"
    }


def test_what_the_contract_requires_and_we_fill_in(backend: Backend, loop: str) -> None:
    body = {"request_text": "Which?", "response_config": {"options": ["A", "B"]}}
    reply = backend.key.post(routes.LOOP_REQUESTS.format(loop_id=loop), body)
    assert reply.status == 201
    request = backend.key.request(reply.data["request_id"]).data["request"]
    filled = {
        "processing_type": "deferred", "type": "markdown", "priority": "medium", "response_type": "single_select",
        "default_response": None, "platform": "api", "platform_version": None, "context": None, "callback_url": None,
        "tags": None, "image_url": None,
    }  # fmt: skip
    assert {name: request[name] for name in filled} == filled
    assert moment(request["timeout_at"]) == due_in(backend, 30 * 86_400), "deferred: 30 days"


ALLOWED: dict[str, list[Any]] = {
    "request_text": ["x", "x" * 2000, "ü" * 2000, "  spaces stay  "],
    "timeout_seconds": [60, 86_400],
    "priority": ["low", "medium", "high", "critical"],
    "platform": ["n8n", "zapier", "web_portal", "api", "mobile", "webhook"],
    "platform_version": ["", "v" * 100],
    "context": [{}, {"ü": "ß", "empty": None}],
    "tags": [[], ["t"] * 50, ["t" * 100]],
    "callback_url": ["https://example.com/", "http://127.0.0.1:9/hook"],
}


@pytest.mark.parametrize("field", ALLOWED)
def test_what_a_field_may_be(backend: Backend, loop: str, field: str) -> None:
    for value in ALLOWED[field]:
        reply = backend.key.ask(loop, **{field: value})
        assert reply.status == 201, reply.body
        if field != "timeout_seconds":
            assert reply.data["request"][field] == value


def test_how_long_a_request_may_wait(backend: Backend, loop: str) -> None:
    for processing, seconds in (
        ("time-sensitive", 60), ("time-sensitive", 86_400), ("deferred", 60), ("deferred", 604_800),
        ("deferred", 30 * 86_400),
    ):  # fmt: skip
        reply = backend.key.ask(loop, processing_type=processing, timeout_seconds=seconds)
        assert moment(reply.data["timeout_at"]) == due_in(backend, seconds)


REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"request_text": None}, "Request text is required", TEXT_RANGE),
    ({"request_text": ""}, "Request text is required", TEXT_RANGE),
    ({"request_text": "x" * 2001}, "Validation failed", TEXT_RANGE),
    ({"request_text": 5}, "Invalid request body", "request_text must be a string"),
    ({"request_text": "a\0"}, "Validation failed", "request_text must not contain the character U+0000"),
    ({"priority": "urgent"}, "Validation failed", "priority must be one of: low, medium, high, critical"),
    ({"priority": "HIGH"}, "Validation failed", "priority must be one of: low, medium, high, critical"),
    ({"processing_type": "instant"}, "Validation failed", "processing_type must be one of: time-sensitive, deferred"),
    ({"type": "html"}, "Validation failed", "type must be one of: markdown, image, file, video, audio"),
    ({"platform": "fax"}, "Validation failed",
     "platform must be one of: n8n, zapier, web_portal, api, mobile, webhook"),
    ({"response_type": "essay"}, "Validation failed",
     "response_type must be one of: single_select, multi_select, rating, number, text, boolean, editable_text, form"),
    ({"timeout_seconds": None}, "timeout_seconds is required for time-sensitive requests", None),
    ({"timeout_seconds": 59}, "Validation failed", TIME_RANGE),
    ({"timeout_seconds": 86_401}, "Validation failed", "timeout_seconds must be between 60 and 86400"),
    ({"timeout_seconds": 2_592_001, "processing_type": "deferred"}, "Validation failed", TIME_RANGE),
    ({"timeout_seconds": 90.5}, "Validation failed", TIME_RANGE),
    ({"timeout_seconds": [90]}, "Invalid request body", "timeout_seconds must be a whole number"),
    ({"context": []}, "Invalid request body", "context must be a JSON object"),
    ({"context": "x"}, "Invalid request body", "context must be a JSON object"),
    ({"response_config": "x"}, "Invalid request body", "response_config must be a JSON object"),
    ({"tags": "money"}, "Invalid request body", "tags must be a list"),
    ({"tags": ["t"] * 51}, "Validation failed", "tags List should have at most 50 items after validation, not 51"),
    ({"platform_version": "v" * 101}, "Validation failed",
     "platform_version String should have at most 100 characters"),
    ({"callback_url": "ftp://example.com"}, "Validation failed",
     "callback_url must be an absolute http or https address"),
    ({"callback_url": "/hook"}, "Validation failed", "callback_url must be an absolute http or https address"),
    ({"image_url": "picture.png"}, "Validation failed", "image_url must be an absolute http or https address"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "msg", "data"), REFUSED, ids=[str(index) for index in range(len(REFUSED))])
def test_what_a_field_must_not_be(backend: Backend, loop: str, wrong: dict[str, Any], msg: str, data: Any) -> None:
    assert backend.key.ask(loop, **wrong).refusal == (400, msg, data)
    assert backend.key.get(routes.LOOP_REQUESTS.format(loop_id=loop)).data["total"] == 0


@pytest.mark.parametrize("content", [b"{", b"", b"[]", b'"text"', b"null", b"\xff", b'{"request_text": NaN'])
def test_a_body_that_cannot_be_read(backend: Backend, loop: str, content: bytes) -> None:
    path, as_json = routes.LOOP_REQUESTS.format(loop_id=loop), {"Content-Type": "application/json"}
    reply = backend.key.send("POST", path, content=content, headers=as_json)
    assert reply.said == (400, "Invalid request body")
    form = backend.key.send("POST", path, content=b"request_text=x", headers={"Content-Type": "text/plain"})
    assert form.said == (400, "Invalid request body")


def test_the_default_of_an_api_call_may_approve(backend: Backend, loop: str) -> None:
    reply = backend.key.ask(loop, default_response="Approve")
    assert reply.data["request"]["default_response"] == "Approve"


def test_extra_fields_are_left_alone(backend: Backend, loop: str) -> None:
    assert backend.key.ask(loop, unknown={"a": 1}, webhook="x").status == 201


def test_a_question_is_asked_once_with_an_idempotency_key(backend: Backend, loop: str) -> None:
    path, once = routes.LOOP_REQUESTS.format(loop_id=loop), {routes.IDEMPOTENCY_KEY: "order-5"}
    first = backend.key.post(path, QUESTION, once)
    again = backend.key.post(path, QUESTION, once)
    assert (first.status, first.data["joined"]) == (201, False)
    assert again.said == (200, "The same question was already asked")
    assert (again.data["request_id"], again.data["joined"]) == (first.data["request_id"], True)
    other = backend.key.post(path, QUESTION | {"request_text": "Drop the table?"}, once)
    assert other.refusal == (
        409,
        "This idempotency key was used for a different question. Use a new key for a new question",
        {"request_id": first.data["request_id"], "status": "pending"},
    )
    assert backend.second.post(path, QUESTION, once).status == 201, "an idempotency key belongs to one API key"
    empty = backend.key.post(path, QUESTION, {routes.IDEMPOTENCY_KEY: "k" * 201})
    assert empty.said == (400, "Validation failed")
