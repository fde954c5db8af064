"""The one answer that an API key can give: what its client's user answered in the client's own dialog (H7)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from hitl_mcp.contract import routes
from hitl_mcp.service.store import Tx
from hitl_mcp.service.store.tables import loops
from tests.rest.backend import Backend, Caller, Reply

CLOSED = "This loop takes no answers through the client. A person answers in the inbox or with `hitl-mcp respond`"
CRITICAL = (
    "A critical request is never answered through the client. A person answers in the inbox or with `hitl-mcp respond`"
)


def pass_on(key: Caller, request_id: str, value: Any = "Approve", revision: Any = 1, **more: Any) -> Reply:
    """What a client says its user answered."""
    body = {"response_data": value, "revision": revision, **more}
    return key.post(routes.REQUEST_CLIENT_ANSWER.format(request_id=request_id), body)


def set_policy(backend: Backend, loop: str, allowed: bool | None) -> None:
    """What a person of the loop decides; no key can."""
    value = None if allowed is None else int(allowed)

    def unit(tx: Tx) -> None:
        tx.connection.execute(update(loops).where(loops.c.id == loop).values(allow_client_answers=value))

    backend.portal.call(backend.services.store.write, unit)


@pytest.fixture
def open_loop(backend: Backend, loop: str) -> str:
    """A loop that takes such answers, on every kind of service."""
    set_policy(backend, loop, True)
    return loop


def test_a_client_answer_is_recorded_and_marked(backend: Backend, open_loop: str) -> None:
    created = backend.key.ask(open_loop)
    assert created.data["client_answers"] is True
    asked = created.data["request_id"]
    reply = pass_on(backend.key, asked.upper(), "approve", comment="Looks fine")
    assert reply.said == (200, "Response recorded")
    request = backend.key.request(asked).data["request"]
    assert reply.data["request"]["id"] == asked and reply.data["status"] == request["status"] == "completed"
    assert (request["response_data"], request["response_comment"]) == ("Approve", "Looks fine")
    assert (request["response_channel"], request["response_assurance"]) == ("client", "client_asserted")
    assert request["response_by"] == backend.key.user_id and request["decided_revision"] == 1
    events = backend.key.get(routes.REQUEST_EVENTS.format(request_id=asked)).data["events"]
    last = events[-1]
    assert (last["type"], last["actor"]) == ("completed", f"key:{backend.key.key_id}")
    assert (last["data"]["channel"], last["data"]["assurance"]) == ("client", "client_asserted")


def test_by_default_only_ones_own_machine_takes_client_answers(backend: Backend, loop: str) -> None:
    created = backend.key.ask(loop)
    own = backend.kind == "local"
    assert created.data["client_answers"] is own
    reply = pass_on(backend.key, created.data["request_id"])
    assert reply.said == (200, "Response recorded") if own else reply.refusal[:2] == (403, CLOSED)


def test_a_loop_that_takes_none_says_so(backend: Backend, loop: str) -> None:
    set_policy(backend, loop, False)
    created = backend.key.ask(loop)
    assert created.data["client_answers"] is False
    assert pass_on(backend.key, created.data["request_id"]).refusal[:2] == (403, CLOSED)


def test_a_critical_request_is_never_answered_through_the_client(backend: Backend, open_loop: str) -> None:
    created = backend.key.ask(open_loop, priority="critical")
    assert created.data["client_answers"] is False
    assert pass_on(backend.key, created.data["request_id"]).refusal[:2] == (403, CRITICAL)
    raised = backend.key.asked(open_loop)
    backend.key.send("PATCH", routes.REQUEST.format(request_id=raised), {"priority": "critical"})
    assert pass_on(backend.key, raised, revision=2).refusal[:2] == (403, CRITICAL)


def test_no_key_changes_what_a_loop_takes(backend: Backend, loop: str) -> None:
    set_policy(backend, loop, False)
    path = routes.LOOP.format(loop_id=loop)
    assert backend.key.send("PUT", path, {"name": "Mine", "allow_client_answers": True}).status == 200
    made = backend.key.post(routes.LOOPS, {"name": "New", "icon": "x", "allow_client_answers": True}).data["loop"]["id"]
    assert backend.key.ask(loop).data["client_answers"] is False
    assert backend.key.ask(made).data["client_answers"] is (backend.kind == "local")


def test_only_the_key_that_asked_passes_answers_on(backend: Backend, open_loop: str) -> None:
    asked = backend.key.asked(open_loop)
    for stranger in (backend.second, backend.other):
        assert pass_on(stranger, asked).refusal[:2] == (403, "Access denied to this request")
    assert pass_on(backend.key, "0" * 24).said == (404, "Request not found")
    assert backend.key.request(asked).data["status"] == "pending"


def test_a_client_answer_is_guarded_like_every_other(backend: Backend, open_loop: str) -> None:
    asked = backend.key.asked(open_loop)
    assert pass_on(backend.key, asked, "Maybe").refusal[:2] == (400, "Invalid response")
    assert pass_on(backend.key, asked, revision=None).status == 400
    backend.key.send("PATCH", routes.REQUEST.format(request_id=asked), {"request_text": "Publish them all?"})
    stale = pass_on(backend.key, asked)
    assert stale.status == 409 and stale.data["revision"] == 2
    assert backend.key.request(asked).data["status"] == "pending"
    assert backend.answer(asked, "Reject", revision=2).status == 200
    late = pass_on(backend.key, asked, revision=2)
    assert late.status == 409 and late.msg.startswith("Already decided by ")
    assert backend.key.request(asked).data["response_data"] == "Reject"
