"""Every operation at both prefixes, and the envelope around every reply (sections 1.1, 1.3, 1.8 and 2)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hitl_mcp.contract import routes
from tests.rest.backend import QUESTION, Backend

OPERATIONS: list[tuple[str, str, Any, int, str]] = [
    # in an order in which they can follow each other
    ("GET", "test", None, 200, "API key is valid"),
    ("POST", "loops", {"name": "Every operation", "icon": "cog"}, 201, "Loop created successfully with QR code"),
    ("GET", "loops", None, 200, "Loops retrieved successfully"),
    ("GET", "loops/{loop}", None, 200, "Loop retrieved successfully"),
    ("PUT", "loops/{loop}", {"name": "Renamed"}, 200, "Loop updated successfully"),
    ("GET", "loops/{loop}/members", None, 200, "Loop members retrieved successfully"),
    ("POST", "loops/{loop}/requests", QUESTION, 201, "Request created and broadcasted successfully"),
    ("GET", "loops/{loop}/requests", None, 200, "Loop requests retrieved successfully"),
    ("GET", "requests", None, 200, "Requests retrieved successfully"),
    ("GET", "requests/{request}", None, 200, "Request retrieved successfully"),
    (
        "POST",
        "templates",
        {"name": "Every", "fields": [{"name": "a", "type": "text"}]},
        201,
        "Template created successfully",
    ),
    ("GET", "templates", None, 200, "Templates retrieved successfully"),
    ("GET", "templates/every", None, 200, "Template retrieved successfully"),
    ("PUT", "templates/every", {"name": "Every"}, 200, "Template updated successfully"),
    ("PATCH", "requests/{request}", {"priority": "low"}, 200, "Request updated successfully"),
    ("POST", "requests/{answered}/feedback", {"feedback": {"rating": 5}}, 200, "Feedback added successfully"),
    ("DELETE", "requests/{request}", None, 200, "Request cancelled successfully"),
    ("DELETE", "loops/{loop}/members/{user}", None, 200, "Member removed successfully"),
    ("DELETE", "loops/{loop}", None, 200, "Loop deleted successfully"),
]


@pytest.mark.parametrize("prefix", ["/v1/api/", "/v1/"])
def test_every_operation_at_both_prefixes(backend: Backend, prefix: str) -> None:
    made: dict[str, str] = {}
    for method, rest, body, status, msg in OPERATIONS:
        at = "/v1/" if rest == "test" else prefix
        reply = backend.key.send(method, at + rest.format(**made), body)
        assert reply.said == (status, msg), (method, rest, reply.body)
        assert set(reply.body) == {"error", "msg", "data"} and reply.body["error"] is False
        assert reply.headers["Content-Type"] == "application/json"
        if rest == "loops" and method == "POST":
            made |= in_loop(backend, reply.data["loop"]["id"])
        elif rest == "loops/{loop}/requests" and method == "POST":
            made["request"] = reply.data["request_id"]


def test_a_slash_at_the_end_changes_nothing(backend: Backend) -> None:
    for path in ("/v1/api/loops/", "/v1/loops/", "/v1/test/", "/v1/api/requests/"):
        assert backend.key.get(path).status == 200, path
    made = backend.key.post("/v1/loops/", {"name": "With a slash", "icon": "bell"})
    assert made.status == 201, "no redirect, which would lose what is posted"
    assert backend.key.get(f"/v1/loops/{made.data['loop']['id']}/?unknown=1").status == 200


def in_loop(backend: Backend, loop: str) -> dict[str, str]:
    """What the later operations need: an answered request and an invited person."""
    answered = backend.key.asked(loop)
    backend.answer(answered, "Approve")
    invited = backend.key.post(routes.MEMBERS.format(loop_id=loop), {"email": "every@example.com"})
    return {"loop": loop, "answered": answered, "user": invited.data["member"]["user_id"]}


def test_errors_leave_in_the_envelope_with_the_contracts_words(backend: Backend) -> None:
    nothing = backend.key.get("/v1/api/nothing")
    assert nothing.refusal == (404, "There is nothing at this address", None)
    wrong = backend.key.send("PUT", routes.REQUESTS, {})
    assert wrong.refusal == (405, "This address does not take that method", None)
    assert wrong.headers["Allow"] == "GET"
    huge = backend.key.send("POST", routes.LOOPS, content=b"x" * 1_048_577)
    assert huge.refusal == (413, "The body is larger than 1048576 bytes", None)
    foreign = backend.key.send("GET", routes.LOOPS, headers={"Host": "evil.example"})
    assert (foreign.status, foreign.body["error"]) == (421, True)


def test_an_id_of_another_form_is_told_so(backend: Backend, loop: str) -> None:
    words = "an id has 24 characters 0-9 and a-f"
    for wrong in ("1", "g" * 24, "0" * 23, "0" * 25):
        for method, route in (("GET", routes.LOOP), ("PUT", routes.LOOP), ("DELETE", routes.LOOP),
                              ("GET", routes.MEMBERS), ("GET", routes.LOOP_REQUESTS)):  # fmt: skip
            reply = backend.key.send(method, route.format(loop_id=wrong), {"name": "n"})
            assert reply.refusal == (400, "Invalid loop ID format", words)
        asked = backend.key.ask(wrong)
        assert asked.said == (400, "Invalid loop ID format")
    assert backend.key.ask(loop.upper()).status == 201, "ids are taken in either case"


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def test_ids_and_times_have_the_contracts_form(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop)
    backend.clock.move(0.25)
    backend.answer(asked, "Approve")
    request = backend.key.request(asked).data["request"]
    for name in ("id", "loop_id", "creator_id", "api_key_id", "response_by"):
        assert re.fullmatch("[0-9a-f]{24}", request[name]), name
    for name in ("timeout_at", "created_at", "updated_at", "response_at", "broadcasted_at"):
        assert TIME.fullmatch(request[name]), request[name]
    assert request["response_time_seconds"] == 0.25


def test_a_loop_whose_only_member_is_pending_cannot_happen(backend: Backend, loop: str) -> None:
    """`No active members found in the loop`: the creator is active from the start and cannot be removed."""
    creator = routes.MEMBER.format(loop_id=loop, user_id=backend.key.user_id)
    assert backend.key.delete(creator).status == 403
    assert backend.key.ask(loop).data["broadcasted_to"] == 1
