"""Receiving webhooks: only genuine ones, of every generation, and never a decision that nobody made (H11, H12)."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from email.message import Message
from typing import Any
from wsgiref.headers import Headers as WsgiHeaders

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers as StarletteHeaders

from hitl_mcp.contract.signatures import sign, signature_headers
from hitl_mcp.errors import ContractBroken, NotAuthorised, NotConfigured
from hitl_mcp.webhooks import Responder, WebhookHandler, parse_event, verify_signature

SECRET = "whsec_ü"
BODY = '{"event":"request.completed","data":{"request_id":"r1","decision":"approved"},"who":"é"}'.encode()
HEX = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
OTHER = hmac.new(b"other", BODY, hashlib.sha256).hexdigest()


def message(name: str, value: str) -> Message:
    """What http.server gives."""
    headers = Message()
    headers[name] = value
    return headers


def test_the_signature_is_what_the_documents_say() -> None:
    """RFC 4231, test case 2."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert sign(b"what do ya want for nothing?", "Jefe") == expected
    assert signature_headers(b"what do ya want for nothing?", b"Jefe") == {
        "X-HITL-Signature": expected,
        "X-HITL-Signature-256": "sha256=" + expected,
    }


@pytest.mark.parametrize(
    "headers",
    [
        {"X-HITL-Signature": HEX},
        {"X-HITL-Signature-256": "sha256=" + HEX},
        {"X-HITL-Signature": "sha256=" + HEX},
        {"X-HITL-Signature-256": HEX},
        {"x-hitl-signature": f" {HEX.upper()} "},
        {"X-HITL-SIGNATURE-256": "SHA256=" + HEX},
        {"HTTP_X_HITL_SIGNATURE": HEX, "wsgi.input": object(), "CONTENT_LENGTH": 3},
        {"HTTP_X_HITL_SIGNATURE_256": "sha256=" + HEX},
        {b"x-hitl-signature": HEX.encode()},
        {"x-hitl-signature": [HEX]},
        [(b"host", b"here"), (b"x-hitl-signature-256", b"sha256=" + HEX.encode())],
        [("X-HITL-Signature", HEX), ("X-HITL-Signature", HEX)],
        signature_headers(BODY, SECRET),
        StarletteHeaders({"X-HITL-Signature": HEX}),
        WsgiHeaders([("X-HITL-Signature", HEX)]),
        message("X-HITL-Signature", HEX),
    ],
)
def test_a_genuine_one_in_any_form_of_headers(headers: object) -> None:
    assert verify_signature(headers, BODY, SECRET) is True
    for body in (BODY.decode(), bytearray(BODY), memoryview(BODY)):
        assert verify_signature(headers, body, SECRET.encode()) is True
    assert verify_signature(headers, BODY + b" ", SECRET) is False
    assert verify_signature(headers, BODY, SECRET + " ") is False


@pytest.mark.parametrize(
    "headers",
    [
        {},
        [],
        None,
        5,
        "X-HITL-Signature",
        dict,
        {"X-HITL-Signature": ""},
        {"X-HITL-Signature": None},
        {"X-HITL-Signature": OTHER},
        {"X-HITL-Signature": HEX[:-1]},
        {"X-HITL-Signature": HEX + "00"},
        {"X-HITL-Signature": HEX[:32]},
        {"X-HITL-Signature": " ".join(HEX[i : i + 2] for i in range(0, 64, 2))},
        {"X-HITL-Signature": "sha1=" + HEX},
        {"X-HITL-Signature": "sha256=sha256=" + HEX},
        {"X-HITL-Signature": f"{HEX}, {HEX}"},
        {"X-HITL-Signature": "ü" * 64},
        {"X-HITL-Signature": "１" * 64},
        {"X-HITL-Signature": b"\xff" * 64},
        {"X-HITL-Signature": []},
        {"X-Signature": HEX},
        {"X-HITL-Signature": HEX, "X-HITL-Signature-256": "sha256=" + OTHER},
        {"X-HITL-Signature": OTHER, "X-HITL-Signature-256": "sha256=" + HEX},
        {"X-HITL-Signature": "", "X-HITL-Signature-256": "sha256=" + HEX},
        [("X-HITL-Signature", HEX), ("X-HITL-Signature", OTHER)],
        [("X-HITL-Signature",), "X-HITL-Signature", 7],
    ],
)
def test_anything_else_is_not_genuine_and_nothing_is_raised(headers: object) -> None:
    assert verify_signature(headers, BODY, SECRET) is False


@pytest.mark.parametrize("secret", ["", b"", None, 5, "\ud800"])
def test_without_a_secret_nothing_is_genuine(secret: Any) -> None:
    unkeyed = hmac.new(b"", BODY, hashlib.sha256).hexdigest()
    assert verify_signature({"X-HITL-Signature": unkeyed}, BODY, secret) is False


@pytest.mark.parametrize("body", [None, {"event": "x"}, ["x"], 5, "\ud800", ""])
def test_only_a_raw_body_is_genuine(body: object) -> None:
    assert verify_signature({"X-HITL-Signature": HEX}, body, SECRET) is False


_odd = st.none() | st.integers() | st.text() | st.binary() | st.lists(st.text(), max_size=3)


@given(st.dictionaries(st.sampled_from(["X-HITL-Signature", "x-hitl-signature-256", "Host"]), _odd), _odd, _odd)
def test_no_stranger_gets_in_or_breaks_it(headers: object, body: object, secret: object) -> None:
    assert verify_signature(headers, body, secret) is False


def test_the_handler_takes_genuine_events_only() -> None:
    handler = WebhookHandler(SECRET)
    event = handler.parse_event(BODY, signature_headers(BODY, SECRET))
    assert (event.type, event.data["request_id"], event.data["decision"]) == ("request.completed", "r1", "approved")
    for headers in ({}, signature_headers(BODY, "other")):
        with pytest.raises(NotAuthorised, match="does not match") as caught:
            handler.parse_event(BODY, headers)
        assert (caught.value.status, SECRET in str(caught.value)) == (401, False)
    broken = b"[]"
    with pytest.raises(ContractBroken):
        handler.parse_event(broken, signature_headers(broken, SECRET))
    with pytest.raises(NotConfigured, match="secret is empty"):
        WebhookHandler("")


ANA = {"user_id": "u1", "name": "Ana", "email": "ana@example.com"}
WHEN = "2026-03-02T09:30:00Z"
REQUEST: dict[str, Any] = {
    "id": "r1", "loop_id": "l1", "status": "completed", "response_type": "single_select",
    "response_data": "Approve", "response_by": "u1", "response_at": WHEN,
    "timeout_at": "2026-03-02T10:00:00Z", "decision": None,
}  # fmt: skip
FLAT: dict[str, Any] = {
    "event": "request.completed", "request_id": "r1", "loop_id": "l1", "status": "completed",
    "response_data": {"selected_value": "Approve"}, "response_by": ANA, "response_at": WHEN,
    "response_time_seconds": 245.5, "created_at": "2026-03-02T09:25:54Z",
}  # fmt: skip
OURS: dict[str, Any] = {
    **FLAT, "response_data": "Approve", "timestamp": WHEN, "event_id": "e1", "decision": "approved",
    "data": {
        "request_id": "r1", "status": "completed", "response_data": "Approve", "decision": "approved",
        "request": REQUEST, "loop": {"id": "l1", "name": "Deploys", "creator_id": "u9"}, "reviewer": ANA,
    },
}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "current, flat": FLAT,
    "tutorial": {"event": "request.completed", "data": {"request_id": "r1", "response_data": "Approve"}},
    "integrations": {"event": "request.completed", "data": {"request_id": "r1", "decision": "approved"}},
    "introduction": {
        "event": "request.completed", "request_id": "r1", "status": "completed", "response_data": "approve",
        "response_by": "ana@example.com", "completed_at": WHEN,
    },
    "make": {
        "event": "request.completed", "request_id": "r1", "loop_id": "l1", "status": "completed", "timestamp": WHEN,
        "response_data": {"selected_value": "approve", "selected_label": "Approve"},
        "response_by_user": {"id": "u1", "name": "Ana", "email": "ana@example.com"}, "response_at": WHEN,
    },
    "August 2025": {
        "event": "request.completed", "timestamp": WHEN,
        "data": {
            "request": {**REQUEST, "response_by": None} | {"decision": "approved"},
            "loop": {"id": "l1", "name": "Deploys", "creator_id": "u9"},
            "reviewer": {"user_id": "u1", "email": "ana@example.com"},
        },
    },
    "n8n, early": {"request_id": "r1", "response": "Approve", "status": "completed"},
    "ours": OURS,
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_every_generation_reads_the_same(name: str) -> None:
    payload = VARIANTS[name]
    event = parse_event(json.dumps(payload))
    assert (event.event, event.request_id, event.status) == ("request.completed", "r1", "completed")
    assert event.decision == "approved"
    assert str(event.response_data or "approve").lower() == "approve"
    assert event.loop_id in ("l1", None)
    assert event.raw == payload
    assert event == parse_event(payload) == parse_event(json.dumps(payload).encode())
    assert event.data["request_id"] == "r1"
    if event.responder is not None:
        assert event.responder in (
            Responder("u1", "Ana", "ana@example.com"),
            Responder("u1", None, "ana@example.com"),
            Responder(None, None, "ana@example.com"),
        )
        assert event.responded_at == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def test_what_only_some_say_is_kept() -> None:
    ours, make = parse_event(OURS), parse_event(VARIANTS["make"])
    assert (ours.event_id, ours.timestamp) == ("e1", datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
    assert ours.responder == Responder("u1", "Ana", "ana@example.com")
    assert (make.response_data, make.response_label) == ("approve", "Approve")
    assert ours.data["reviewer"] == ANA
    assert parse_event(VARIANTS["n8n, early"]).responder is None


def test_a_review_of_the_oldest_generation() -> None:
    result = {"approved": True, "text": "Hello", "feedback": "good"}
    event = parse_event({"event": "review.completed", "review": {"id": "v1", "result": result}})
    assert (event.review_id, event.request_id, event.status) == ("v1", "v1", "completed")
    assert (event.result, event.decision) == (result, None)
    both = parse_event({**OURS, "event": "review.completed", "review": {"id": "r1", "result": result}})
    assert (both.review_id, both.request_id, both.decision, both.result) == ("r1", "r1", "approved", result)


@pytest.mark.parametrize("approved", [1, "true", "false", {}, None])
def test_a_review_is_approved_by_true_only(approved: object) -> None:
    event = parse_event({"event": "review.completed", "review": {"id": "v1", "result": {"approved": approved}}})
    assert event.result == {"approved": False}


@pytest.mark.parametrize(
    "changed",
    [
        {"event": "review.cancelled"},
        {"status": "timed_out"},
        {"source": "default"},
        {"response_by": None, "response_at": None},
        {"decision": "rejected"},
    ],
    ids=str,
)
def test_a_review_that_no_person_approved_is_not_approved(changed: dict[str, Any]) -> None:
    payload = {"event": "", "status": "completed", "review": {"id": "v1", "result": {"approved": True}}, **changed}
    if payload["event"]:
        del payload["status"]
    event = parse_event(payload)
    assert event.result == {"approved": False}
    assert event.decision != "approved"


@pytest.mark.parametrize(
    ("answer", "bare", "label"),
    [
        ({"selected_value": "a", "selected_label": "A"}, "a", "A"),
        ({"selected_values": ["a", "b"], "selected_labels": ["A", "B"]}, ["a", "b"], ["A", "B"]),
        ({"rating": 4, "rating_label": "good"}, 4, "good"),
        ({"number": 0, "formatted_value": "€0"}, 0, "€0"),
        ({"boolean": False, "boolean_label": "No"}, False, "No"),
        ({"revised_text": "x", "was_edited": True}, {"revised_text": "x", "was_edited": True}, None),
        ({"rating": 4, "comment": "a form's own"}, {"rating": 4, "comment": "a form's own"}, None),
        ("text", "text", None),
        (["a"], ["a"], None),
        (0, 0, None),
        (False, False, None),
        (None, None, None),
    ],
)
def test_an_answer_is_a_bare_value(answer: object, bare: object, label: object) -> None:
    event = parse_event({**FLAT, "response_data": answer})
    assert (event.response_data, event.response_label) == (bare, label)
    assert type(event.response_data) is type(bare)
    assert event.decision is None


def test_the_answer_of_a_form_is_never_unwrapped() -> None:
    request = {**REQUEST, "response_type": "form", "response_data": {"rating": 4}}
    assert parse_event({"event": "request.completed", "data": {"request": request}}).response_data == {"rating": 4}


@pytest.mark.parametrize(
    ("option", "decision"),
    [
        ("Approve", "approved"), ("approve", "approved"), (" APPROVE ", "approved"),
        ("Reject", "rejected"), ("reject", "rejected"),
        ("Needs Changes", "needs_changes"), ("needs_changes", "needs_changes"), ("Needs-changes", "needs_changes"),
        ("Escalate", "escalated"),
        ("Approved", None), ("Yes", None), ("approve_with_warning", None), ("Do not approve", None), ("", None),
        (True, None), (1, None), ("true", None), (["Approve"], None), ({"selected_values": ["Approve"]}, None),
        ({"boolean": True, "boolean_label": "Approve"}, None),
        ({"selected_value": "approve", "selected_label": "Reject"}, None),
        ({"selected_value": "approve", "selected_label": "Ship it"}, None),
    ],
)  # fmt: skip
def test_an_option_is_a_decision_by_the_fixed_table_only(option: object, decision: str | None) -> None:
    assert parse_event({**FLAT, "response_data": option}).decision == decision


@pytest.mark.parametrize("kind", ["text", "boolean", "multi_select", "editable_text", "form"])
def test_words_typed_into_another_kind_of_answer_are_no_decision(kind: str) -> None:
    request = {**REQUEST, "response_type": kind}
    assert parse_event({"event": "request.completed", "data": {"request": request}}).decision is None
    assert parse_event({**FLAT, "response_data": "Approve", "response_type": kind}).decision is None


@pytest.mark.parametrize(
    ("word", "decision"),
    [
        ("approved", "approved"), ("Approved", "approved"), ("rejected", "rejected"),
        ("needs_changes", "needs_changes"), ("escalated", "escalated"), ("escalate", "escalated"),
        ("approve", None), ("true", None), (True, None), (1, None), (["approved"], None), ("", None), (None, None),
        ("auto_approved", None),
    ],
)  # fmt: skip
def test_an_explicit_decision(word: object, decision: str | None) -> None:
    event = parse_event({"event": "request.completed", "data": {"request_id": "r1", "decision": word}})
    assert event.decision == decision


def test_an_explicit_no_decision_is_not_overruled_by_an_option() -> None:
    assert parse_event({**FLAT, "decision": None}).decision is None
    assert parse_event({**FLAT, "decision": "maybe"}).decision is None


CLOSED = ["timeout", "timed_out", "expired", "cancelled", "canceled", "pending", "claimed", "unheard_of"]


@pytest.mark.parametrize("status", CLOSED)
@pytest.mark.parametrize("name", VARIANTS)
def test_nothing_but_a_completed_request_is_decided(name: str, status: str) -> None:
    """Whatever else the event claims; a contradiction is an error, which is no decision either."""
    payload = json.loads(json.dumps(VARIANTS[name]).replace('"status": "completed"', f'"status": "{status}"'))
    if "event" in payload:
        payload["event"] = f"request.{status}"
    event = parse_event(payload)
    assert event.decision is None
    assert event.data["decision"] is None
    assert event.status != "completed"
    if "event" in payload and "status" in json.dumps(payload):
        for lie in ({"event": "request.completed"}, {"event": "request.timeout", "status": "completed"}):
            with pytest.raises(ContractBroken):
                parse_event({**payload, **lie})


@pytest.mark.parametrize(
    ("word", "status"),
    [("timed_out", "timeout"), ("expired", "timeout"), ("canceled", "cancelled"), ("assigned", "pending")],
)
def test_words_of_every_generation_become_the_contracts_own(word: str, status: str) -> None:
    assert parse_event({"event": f"request.{word}", "request_id": "r1"}).status == status
    assert parse_event({"request_id": "r1", "status": word}).status == status


@pytest.mark.parametrize(
    "doubt",
    [
        {"source": "default"},
        {"source": "cancelled"},
        {"response_by": None},
        {"timeout_at": WHEN},
        {"timeout_at": "2026-03-02T09:29:59.999Z"},
        {"timeout_at": "2026-03-02T10:00:00Z", "response_at": "yesterday"},
        {"timeout_at": "soon"},
    ],
    ids=str,
)
@pytest.mark.parametrize("decision", [{}, {"decision": "approved"}])
def test_a_default_that_came_like_an_answer_is_no_decision(doubt: dict[str, Any], decision: dict[str, Any]) -> None:
    assert parse_event({**FLAT, **decision}).decision == "approved"
    assert parse_event({**FLAT, **decision, "timeout_at": "2026-03-02T09:30:01Z"}).decision == "approved"
    assert parse_event({**FLAT, **decision, **doubt}).decision is None


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("null", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('"request.completed"', "not a JSON object"),
        (5, "not a JSON object"),
        ({}, "neither an event nor a status"),
        ({"request_id": "r1", "response_data": "Approve"}, "neither an event nor a status"),
        ({"event": "request.completed"}, "names no request"),
        ({"event": "request.completed", "data": "r1"}, "names no request"),
        ({"event": "review.completed", "review": "v1"}, "names no request"),
        ({"event": ["request.completed"], "request_id": "r1"}, "not text"),
        ({**FLAT, "status": 5}, "not text"),
        ({**FLAT, "status": {"is": "completed"}}, "not text"),
        ({**FLAT, "request_id": {"id": "r1"}}, "an id is not text"),
        ({**FLAT, "request_id": ""}, "an id is not text"),
        ({**FLAT, "request_id": True}, "an id is not text"),
        ({**FLAT, "event": "request.timeout"}, "its status is completed"),
        ({**OURS, "status": "timeout"}, "status is given more than once"),
        ({**OURS, "request_id": "r2"}, "request_id is given more than once"),
        ({**OURS, "response_data": "Reject"}, "response_data is given more than once"),
        ({**OURS, "decision": "rejected"}, "decision is given more than once"),
        ({**FLAT, "decision": "rejected"}, "decision is rejected, but its answer is Approve"),
        ({**FLAT, "request_id": {1, 2}, "response_data": {1: 1, "1": 2}}, "no JSON"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_words(payload: Any, words: str) -> None:
    with pytest.raises(ContractBroken, match=words) as caught:
        parse_event(payload)
    assert "read the request through the API" in str(caught.value)


@pytest.mark.parametrize(
    "payload",
    [
        {"event": "loop.member_joined", "data": {"loop": {"id": "l1"}, "member": {"user_id": "u1"}}},
        {"event": "api_key.limit_exceeded", "timestamp": 1_772_443_800, "data": {}},
        {"event": "request.escalated", "data": {"request_id": "r1", "decision": "escalated"}},
        {"event": "request.claimed", "data": {"request": {"id": "r1"}, "estimated_completion": WHEN}},
    ],
)
def test_events_of_other_things_are_read_and_decide_nothing(payload: dict[str, Any]) -> None:
    event = parse_event(payload)
    assert (event.event, event.decision) == (payload["event"], None)
    assert event.status in (None, "claimed")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers()
        | st.sampled_from(["Approve", "approved", "timeout", "completed", "r"]),
        lambda inner: st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["event", "data", "request", "review", "status", "response_data", "decision", "request_id",
                             "response_by", "timeout_at", "response_at", "selected_value", "result", "approved", "id"]),
            inner, max_size=5,
        ),
        max_leaves=15,
    )
)  # fmt: skip
def test_any_json_is_read_or_refused_and_only_a_completed_one_is_decided(payload: Any) -> None:
    try:
        event = parse_event(json.dumps(payload))
    except ContractBroken:
        return
    if event.decision is not None:
        assert event.status == "completed"
