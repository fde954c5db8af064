"""The simulated cloud against the documents' examples, on which the other tests of the cloud stand."""

from __future__ import annotations

import ast
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.simulated import Manners
from tests.cloud.simulated.place import CREATE, HOUR, REQUEST_FIELDS, START, Place, place

pytestmark = pytest.mark.anyio

NO_ID = "0" * 24
LOOP = {"name": "Content moderation", "icon": "shield-check"}
LOOP_FIELDS = {
    "id", "name", "description", "icon", "creator_id", "members", "member_count", "pending_count", "created_at",
    "updated_at",
}  # fmt: skip


@pytest.fixture
async def at() -> AsyncGenerator[Place]:
    async with place() as made:
        yield made


def test_it_knows_nothing_of_our_code() -> None:
    for path in (Path(__file__).parent / "simulated").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.startswith("hitl_mcp") or name == "tests.world"], path


# Section 2: the fourteen operations, their words and the keys of their data

Prepare = Callable[[Place], Awaitable[str]]


async def a_request(at: Place) -> str:
    return await at.create()


async def a_decided_request(at: Place) -> str:
    request_id = await at.create()
    at.cloud.answer(request_id, "Approve")
    return request_id


async def a_loop(at: Place) -> str:
    return at.loop


async def a_member(at: Place) -> str:
    return at.cloud.join(at.loop, "second@example.com", "Second").id


@pytest.mark.parametrize(
    ("section", "prepare", "method", "path", "body", "status", "msg", "keys"),
    [
        ("2.1", a_loop, "GET", "/test", None, 200, "API key is valid",
         {"api_key_id", "user_id", "email", "account_status", "rate_limit", "permissions"}),
        ("2.2", a_loop, "POST", "/api/loops", LOOP, 201, "Loop created successfully with QR code",
         {"loop", "invite_code", "qr_code_base64", "qr_code_url", "join_url"}),
        ("2.2", a_loop, "GET", "/api/loops", None, 200, "Loops retrieved successfully", {"loops", "count"}),
        ("2.2", a_loop, "GET", "/api/loops/{}", None, 200, "Loop retrieved successfully", {"loop"}),
        ("2.2", a_loop, "PUT", "/api/loops/{}", {"name": "New"}, 200, "Loop updated successfully", {"loop"}),
        ("2.2", a_loop, "DELETE", "/api/loops/{}", None, 200, "Loop deleted successfully", {"loop_id"}),
        ("2.3", a_loop, "GET", "/api/loops/{}/members", None, 200, "Loop members retrieved successfully",
         {"loop_id", "members", "member_count"}),
        ("2.3", a_member, "DELETE", "/api/loops/{loop}/members/{}", None, 200, "Member removed successfully",
         {"loop_id", "user_id"}),
        ("2.4", a_loop, "POST", "/api/loops/{}/requests", CREATE, 201, "Request created and broadcasted successfully",
         {"request_id", "status", "processing_type", "type", "priority", "timeout_at", "broadcasted_to",
          "notifications_sent", "polling_url"}),
        ("2.5", a_loop, "GET", "/api/loops/{}/requests", None, 200, "Loop requests retrieved successfully",
         {"loop_id", "requests", "count"}),
        ("2.5", a_request, "GET", "/api/requests", None, 200, "Requests retrieved successfully",
         {"requests", "count", "total", "has_more", "pagination"}),
        ("2.5", a_request, "GET", "/api/requests/{}", None, 200, "Request retrieved successfully", {"request"}),
        ("2.6", a_request, "DELETE", "/api/requests/{}", None, 200, "Request cancelled successfully",
         {"request_id", "status"}),
        ("2.7", a_decided_request, "POST", "/api/requests/{}/feedback", {"feedback": {"rating": 5, "own": "x"}}, 200,
         "Feedback added successfully", {"request_id", "feedback"}),
    ],
)  # fmt: skip
async def test_an_operation_replies_as_documented(
    at: Place, section: str, prepare: Prepare, method: str, path: str, body: Any, status: int, msg: str, keys: set[str]
) -> None:
    path = path.replace("{loop}", at.loop).replace("{}", await prepare(at))
    reply = await at.send(method, path, body)
    assert (reply.status_code, reply.json()["error"], reply.json()["msg"]) == (status, False, msg), section
    assert reply.json().keys() == {"error", "msg", "data"}
    assert reply.json()["data"].keys() == keys


async def test_the_objects_have_the_documented_fields(at: Place) -> None:
    made = await at.data("POST", "/api/loops", LOOP | {"description": "What we publish"})
    assert made["loop"].keys() == LOOP_FIELDS
    assert made["loop"]["member_count"] == 1
    assert made["join_url"] == f"https://my.hitl.sh/join/{made['invite_code']}"
    assert (len(made["invite_code"]), made["qr_code_base64"][:22]) == (9, "data:image/png;base64,")
    members = (await at.data("GET", f"/api/loops/{at.loop}/members"))["members"]
    assert [member.keys() for member in members] == [{"user_id", "email", "status", "joined_at"}] * 2
    request = await at.read(await at.create(context={"order": 7}, callback_url="https://example.com/hook"))
    assert request.keys() == REQUEST_FIELDS
    assert (request["status"], request["context"], request["created_at"]) == (
        "pending", {"order": 7}, "2027-01-15T08:10:00.000Z",
    )  # fmt: skip
    assert request["broadcasted_to"][1].keys() == {
        "user_id", "email", "role", "notification_sent", "notification_error"
    }  # fmt: skip
    assert request["timeout_at"] == "2027-01-15T09:10:00.000Z"
    assert len(request["id"]) == 24


async def test_the_life_of_a_request(at: Place) -> None:
    asked = [await at.create(), await at.create(), await at.create(), await at.create(processing_type="deferred")]
    at.cloud.claim(asked[0])
    assert (await at.read(asked[0]))["status"] == "claimed"
    at.now += 245.5
    at.cloud.answer(asked[0], "approve")
    decided = await at.read(asked[0])
    assert (decided["status"], decided["response_data"]) == ("completed", "Approve")
    assert (decided["response_by"], decided["response_time_seconds"]) == (at.cloud.owner.id, 245.5)
    assert (await at.send("DELETE", f"/api/requests/{asked[0]}")).json()["msg"] == (
        "Request cannot be cancelled in current state"
    )
    await at.data("DELETE", f"/api/requests/{asked[1]}")
    assert (await at.read(asked[1]))["status"] == "cancelled"
    at.cloud.answer(asked[3], "Reject", at=at.now + 10)
    assert (await at.read(asked[3]))["status"] == "pending"
    at.now = START + HOUR
    expired = await at.read(asked[2])
    assert (expired["status"], expired["response_data"], expired["default_response"]) == ("timeout", None, "Reject")
    with pytest.raises(ValueError, match="is timeout"):
        at.cloud.answer(asked[2], "Approve")
    assert at.cloud.requests[asked[3]].response_at == START + 255.5


async def test_what_comes_late_comes_in_its_order(at: Place) -> None:
    too_late, in_time = await at.create(), await at.create(timeout_seconds=HOUR * 2)
    for request_id in (too_late, in_time):
        at.cloud.answer(request_id, "Approve", at=START + HOUR + 1)
    at.now += HOUR * 3
    assert [(await at.read(one))["status"] for one in (too_late, in_time)] == ["timeout", "completed"]
    assert at.cloud.requests[in_time].response_at == START + HOUR + 1


async def test_feedback_is_given_once(at: Place) -> None:
    path = f"/api/requests/{await a_decided_request(at)}/feedback"
    feedback = {"feedback": {"rating": 4, "comment": "Fast", "category": "positive"}}
    assert [(await at.send("POST", path, feedback)).status_code for _ in range(2)] == [200, 400]


async def test_lists(at: Place) -> None:
    asked: list[str] = []
    for priority in ("low", "critical", "medium"):
        asked.append(at.cloud.ask(at.loop, priority=priority))
        at.now += 1
    newest = await at.page()
    assert [item["id"] for item in newest["requests"]] == asked[::-1]
    first = await at.page("?limit=2&sort=created_at_asc")
    assert [item["id"] for item in first["requests"]] == asked[:2]
    assert (first["count"], first["total"], first["has_more"]) == (2, 3, True)
    assert first["pagination"] == {"limit": 2, "offset": 0, "next_offset": 2}
    at.cloud.delete(asked[0])
    second = await at.page("?limit=2&offset=1&sort=created_at_asc")
    assert [item["id"] for item in second["requests"]] == asked[2:]
    assert second["pagination"]["next_offset"] is None
    assert (await at.page("?sort=priority_desc"))["requests"][0]["id"] == asked[1]
    at.cloud.cancel(asked[1])
    for query, found in (("?status=cancelled", 1), ("?priority=medium", 1), (f"?loop_id={at.loop}", 2)):
        assert (await at.page(query))["total"] == found
    at.cloud.delete(at.loop)
    assert (await at.page())["requests"] == []


# Section 1.6: the exact words of each refusal


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CREATE.items() if key != name}


PRIORITY = "priority must be one of: low, medium, high, critical"
LONG = "request_text must be between 1 and 2000 characters"
DEFAULT = "default_response must match one of the configured options"
BODIES: list[tuple[Any, str, str | None]] = [
    ([], "Invalid request body", None),
    (CREATE | {"timeout_seconds": "60"}, "Invalid request body", None),
    (CREATE | {"context": "text"}, "Invalid request body", None),
    (without("request_text"), "Request text is required", None),
    (CREATE | {"request_text": "x" * 2001}, "Validation failed", LONG),
    (CREATE | {"priority": "normal"}, "Validation failed", PRIORITY),
    (without("timeout_seconds"), "timeout_seconds is required for time-sensitive requests", None),
    (CREATE | {"timeout_seconds": 59}, "Validation failed", "timeout_seconds must be between 60 and 86400"),
    (CREATE | {"type": "image"}, "Image URL is required when type is image", None),
    (CREATE | {"response_config": {}}, "Invalid response configuration",
     "options array required for select response type"),
    (CREATE | {"default_response": "Maybe"}, "Invalid default response", DEFAULT),
    *[(without(name), "Validation failed", f"{name} is required") for name in (
        "processing_type", "type", "priority", "response_type", "response_config", "default_response", "platform",
    )],
]  # fmt: skip
WORDS: list[tuple[str, str, Any, int, str, Any]] = [
    ("GET", "/api/loops/xyz", None, 400, "Invalid loop ID format", None),
    ("GET", "/api/requests/xyz", None, 400, "Invalid request ID format", None),
    ("GET", f"/api/loops/{NO_ID}", None, 404, "Loop not found", None),
    ("GET", f"/api/requests/{NO_ID}", None, 404, "Request not found", None),
    ("GET", "/api/loops/{other}", None, 403, "Access denied to this loop", None),
    ("PUT", "/api/loops/{other}", {"name": "x"}, 403, "Only loop creator can update the loop", None),
    ("DELETE", "/api/loops/{other}", None, 403, "Only loop creator can delete the loop", None),
    ("DELETE", "/api/loops/{other}/members/{owner}", None, 403, "Only loop creator can remove members", None),
    ("DELETE", "/api/loops/{loop}/members/{owner}", None, 403, "Loop creator cannot remove themselves", None),
    ("DELETE", f"/api/loops/{{loop}}/members/{NO_ID}", None, 404, "User is not a member of this loop", None),
    ("POST", "/api/loops/{other}/requests", CREATE, 403, "Only loop creators can create requests", None),
    ("POST", "/api/loops/{empty}/requests", CREATE, 400, "No active members found in the loop", None),
    ("GET", "/api/requests/{foreign}", None, 403, "Access denied to this request", None),
    ("DELETE", "/api/requests/{dashboard}", None, 403, "Access denied to this request", None),
    ("POST", "/api/loops", {"icon": "eye"}, 400, "Loop name is required", None),
    ("POST", "/api/loops", {"name": "x"}, 400, "Loop icon is required", None),
    ("POST", "/api/loops", {"name": "x" * 101, "icon": "eye"}, 400, "Validation failed",
     "name must be between 1 and 100 characters"),
    ("PUT", "/api/loops/{loop}", {}, 400, "At least one field must be provided for update", None),
    ("GET", "/api/requests?status=open", None, 400, "Invalid status filter value", None),
    ("GET", "/api/requests?limit=101", None, 400, "Invalid pagination parameters", "limit must be between 1 and 100"),
    ("POST", "/api/requests/{dashboard_key}/feedback", {"feedback": {"rating": 6}}, 400,
     "Rating values must be between 1 and 5", None),
    ("POST", "/api/requests/{dashboard_key}/feedback", {"feedback": {"comment": "x" * 1001}}, 400,
     "Comment exceeds maximum length of 1000 characters", None),
    ("POST", "/api/requests/{dashboard_key}/feedback", {"feedback": {"rating": 5}}, 400,
     "Feedback can only be added to completed requests", None),
    ("PATCH", "/api/requests/{dashboard_key}", {"priority": "low"}, 405, "Method not allowed", None),
    ("GET", "/api/requests/{dashboard_key}/wait", None, 404, "Endpoint not found", None),
    ("GET", "/requests", None, 404, "Endpoint not found", None),
    *[("POST", "/api/loops/{loop}/requests", body, 400, msg, data) for body, msg, data in BODIES],
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "msg", "data"), WORDS)
async def test_a_refusal_has_the_documented_words(
    at: Place, method: str, path: str, body: Any, status: int, msg: str, data: Any
) -> None:
    stranger = at.cloud.new_account("else@example.com", "Someone Else")
    other, empty = at.cloud.new_loop("Theirs", stranger), at.cloud.new_loop("Empty")
    at.cloud.empty(empty)
    places = {
        "other": other, "empty": empty, "loop": at.loop, "owner": at.cloud.owner.id, "foreign": at.cloud.ask(other),
        "dashboard": at.cloud.ask(at.loop), "dashboard_key": at.cloud.ask(at.loop, key=at.key),
    }  # fmt: skip
    reply = await at.send(method, path.format(**places), body)
    assert (reply.status_code, reply.json()["msg"], reply.json().get("data")) == (status, msg, data)
    assert reply.json()["error"] is True


@pytest.mark.parametrize(
    ("header", "msg"),
    [
        (None, "Missing Authorization header"),
        ("Token x", "Invalid Authorization header format. Use 'Bearer <api_key>'"),
        ("Bearer ", "Empty API key"),
        ("Bearer hitl_live_x", "Invalid API key"),
        ("Bearer {revoked}", "API key is inactive"),
    ],
)
async def test_no_good_key(at: Place, header: str | None, msg: str) -> None:
    revoked = at.cloud.new_key()
    at.cloud.revoke(revoked)
    headers = {} if header is None else {"Authorization": header.format(revoked=revoked)}
    reply = await at.http.get("/v1/test", headers=headers | {"X-API-Key": at.key})
    assert (reply.status_code, reply.json()) == (401, {"error": True, "msg": msg})
    assert reply.headers["X-RateLimit-Limit"] == "100"


async def test_only_the_key_that_asked_may_cancel(at: Place) -> None:
    request_id, second = await at.create(), at.cloud.new_key()
    assert (await at.send("GET", f"/api/requests/{request_id}", key=second)).status_code == 200
    reply = await at.send("DELETE", f"/api/requests/{request_id}", key=second)
    assert (reply.status_code, reply.json()["msg"]) == (403, "Access denied to this request")


async def test_repeating_a_create_asks_twice(at: Place) -> None:
    headers = {"Authorization": f"Bearer {at.key}", "Idempotency-Key": "once"}
    for _ in range(2):
        await at.http.post(f"/v1/api/loops/{at.loop}/requests", json=CREATE, headers=headers)
    assert len(at.cloud.requests) == 2


# Section 3: response types

# type, config, default, answer, and `response_data` bare, as an object, with a label
OPTIONS: dict[str, Any] = {"options": ["Publish now", {"value": "no", "label": "Not today"}]}
EDITED = {"revised_text": "Dear B", "was_edited": True}
BOTH = ["no", "Publish now"]
TYPES: list[tuple[str, Any, Any, Any, Any, Any, Any]] = [
    ("text", {}, "none", "Fine", "Fine", "Fine", "Fine"),
    ("editable_text", {"draft_text": "Dear", "max_length": 9}, "Dear", "Dear B", EDITED, EDITED, EDITED),
    ("single_select", OPTIONS, "no", "publish_now", "Publish now", {"selected_value": "Publish now"},
     {"selected_value": "Publish now", "selected_label": "Publish now"}),
    ("multi_select", OPTIONS, [], ["Not today", "Publish now"], BOTH, {"selected_values": BOTH},
     {"selected_values": BOTH}),
    ("rating", {"scale_max": 5, "labels": {"4": "Good"}}, 1, 4, 4, {"rating": 4},
     {"rating": 4, "rating_label": "Good"}),
    ("number", {"max_value": 10}, 1, 2.5, 2.5, {"number": 2.5}, {"number": 2.5, "formatted_value": "2.5"}),
    ("boolean", {}, False, True, True, {"boolean": True}, {"boolean": True, "boolean_label": "True"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "config", "default", "value", "bare", "wrapped", "labelled"), TYPES)
async def test_an_answer_of_each_type_in_each_form(
    at: Place, kind: str, config: Any, default: Any, value: Any, bare: Any, wrapped: Any, labelled: Any
) -> None:
    fields = {"response_type": kind, "response_config": config, "default_response": default}
    assert await at.answered(value, **fields) == bare
    at.cloud.manners = Manners(answers="object")
    assert await at.answered(value, **fields) == wrapped
    at.cloud.manners = Manners(answers="labelled")
    assert await at.answered(value, **fields) == labelled


@pytest.mark.parametrize(
    ("kind", "config", "wrong"),
    [
        ("text", {"max_length": 3}, "long"),
        ("single_select", {"options": ["a", "b"]}, "c"),
        ("multi_select", {"options": ["a", "b"], "max_selections": 1}, ["a", "b"]),
        ("multi_select", {"options": ["a", "b"]}, ["a", "a"]),
        ("rating", {"scale_max": 5, "scale_step": 2}, 2),
        ("number", {"max_value": 10, "decimal_places": 1}, 1.25),
        ("number", {"max_value": 10, "min_value": -5}, -1),
        ("boolean", {}, "true"),
    ],
)
async def test_a_default_that_does_not_fit(at: Place, kind: str, config: Any, wrong: Any) -> None:
    fields = {"response_type": kind, "response_config": config, "default_response": wrong}
    reply = await at.send("POST", f"/api/loops/{at.loop}/requests", CREATE | fields)
    assert (reply.status_code, reply.json()["msg"]) == (400, "Invalid default response")
