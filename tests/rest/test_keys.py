"""Who may call: the key check, the words of 401, scopes, keys limited to loops, revoked keys (sections 1.2 and 2.1)."""

from __future__ import annotations

import pytest

from hitl_mcp.contract import routes
from tests.rest.backend import ALL, PUBLIC, Backend

NO_ID = "0" * 24


def test_the_key_check_tells_whose_key_it_is_and_what_it_may_do(backend: Backend) -> None:
    reply = backend.other.get(routes.KEY_TEST)
    assert reply.said == (200, "API key is valid")
    rate = reply.data.pop("rate_limit")
    assert reply.data == {
        "api_key_id": backend.other.key_id,
        "user_id": backend.other.user_id,
        "email": "grace@example.com",
        "account_status": "active",
        "permissions": sorted(ALL),
        "loop_ids": None,
    }
    assert (rate["limit"], rate["remaining"], rate["unlimited"]) == (1_000_000, 1_000_000, True)
    assert rate["reset_at"].endswith(":00:00Z")


@pytest.mark.parametrize(
    ("given", "msg"),
    [
        (None, "Missing Authorization header"),
        ("Bearer", "Empty API key"),
        ("Basic eA==", "Invalid Authorization header format. Use 'Bearer <api_key>'"),
        ("hitl_live_x", "Invalid Authorization header format. Use 'Bearer <api_key>'"),
        ("Bearer two words", "Invalid Authorization header format. Use 'Bearer <api_key>'"),
        ("Bearer hitl_live_unknown", "Invalid API key"),
        ("bearer hitl_live_unknown", "Invalid API key"),
    ],
)
def test_what_a_missing_or_wrong_credential_is_told(backend: Backend, given: str | None, msg: str) -> None:
    headers = {} if given is None else {"Authorization": given}
    reply = backend.nobody.send("GET", routes.LOOPS, headers=headers)
    assert reply.refusal == (401, msg, None)
    assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_another_header_for_keys_is_a_mistake(backend: Backend) -> None:
    reply = backend.nobody.send("GET", routes.LOOPS, headers={"X-API-Key": backend.key.key or ""})
    assert reply.refusal == (401, "Missing Authorization header", None)


def test_the_scheme_is_taken_in_any_case(backend: Backend) -> None:
    headers = {"Authorization": f"bearer {backend.key.key}"}
    assert backend.nobody.send("GET", routes.LOOPS, headers=headers).status == 200


def test_a_key_is_shown_once_and_listed_without_its_secret(backend: Backend) -> None:
    reply = backend.console.post(routes.KEYS, {"name": "Shown once"})
    secret, key_id = reply.data["key"], reply.data["id"]
    assert reply.said == (201, "Key created")
    assert secret.startswith("hitl_live_")
    assert reply.data["scopes"] == ["loops:read", "requests:read", "requests:write"], "the default of H9"
    if backend.kind == "served on SQLite":
        assert reply.data["base_url"] == PUBLIC
    listed = backend.console.get(routes.KEYS)
    assert listed.said == (200, "Keys retrieved successfully")
    assert next(one for one in listed.data["keys"] if one["id"] == key_id)["name"] == "Shown once"
    assert secret not in str(listed.body)


def test_a_revoked_key_ends_within_two_seconds(backend: Backend) -> None:
    key = backend.new_key()
    assert key.get(routes.KEY_TEST).status == 200
    revoked = backend.console.delete(routes.KEY.format(key_id=key.key_id))
    assert revoked.said == (200, "Key revoked")
    assert revoked.data["revoked_at"] is not None
    backend.clock.move(2)
    for path in (routes.KEY_TEST, routes.LOOPS, routes.REQUESTS):
        assert key.get(path).refusal == (401, "API key is inactive", None)
    assert backend.console.delete(routes.KEY.format(key_id=NO_ID)).status == 404


def test_no_api_key_reaches_the_keys_or_answers(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop)
    for method, path in (("POST", routes.KEYS), ("GET", routes.KEYS), ("DELETE", routes.KEY.format(key_id=NO_ID))):
        assert backend.key.send(method, path, {"name": "Mine"}).refusal == (403, "An API key cannot do this", None)
    refused = backend.answer(asked, "Approve", by=backend.key)
    assert refused.status == 403
    assert refused.msg.startswith("An API key cannot answer")
    assert backend.key.request(asked).data["status"] == "pending"


SCOPED = [
    ("GET", routes.LOOPS, "loops:read"),
    ("GET", routes.LOOP, "loops:read"),
    ("GET", routes.MEMBERS, "loops:read"),
    ("POST", routes.LOOPS, "loops:write"),
    ("PUT", routes.LOOP, "loops:write"),
    ("DELETE", routes.LOOP, "loops:write"),
    ("POST", routes.LOOP_INVITE, "loops:write"),
    ("POST", routes.MEMBERS, "members:write"),
    ("DELETE", routes.MEMBER, "members:write"),
    ("GET", routes.REQUESTS, "requests:read"),
    ("GET", routes.REQUEST, "requests:read"),
    ("GET", routes.LOOP_REQUESTS, "requests:read"),
    ("GET", routes.REQUEST_RESPONSE, "requests:read"),
    ("GET", routes.REQUEST_STATUS, "requests:read"),
    ("GET", routes.REQUEST_WAIT, "requests:read"),
    ("GET", routes.REQUEST_EVENTS, "requests:read"),
    ("GET", routes.EVENTS, "requests:read"),
    ("GET", routes.TEMPLATES, "requests:read"),
    ("GET", routes.TEMPLATE, "requests:read"),
    ("POST", routes.TEMPLATES, "requests:write"),
    ("PUT", routes.TEMPLATE, "requests:write"),
    ("POST", routes.LOOP_REQUESTS, "requests:write"),
    ("PATCH", routes.REQUEST, "requests:write"),
    ("DELETE", routes.REQUEST, "requests:write"),
    ("POST", routes.REQUEST_FEEDBACK, "requests:write"),
    ("POST", routes.REQUEST_DELIVERED, "requests:write"),
]


def test_every_operation_needs_its_scope_and_no_other(backend: Backend) -> None:
    without = {scope: backend.new_key(*(one for one in ALL if one != scope)) for scope in ALL}
    only = {scope: backend.new_key(scope) for scope in ALL}
    for method, route, scope in SCOPED:
        path = route.format(loop_id=NO_ID, request_id=NO_ID, user_id=NO_ID, template=NO_ID)
        refused = without[scope].send(method, path, {"request_text": "?"})
        assert refused.status == 403, (method, route)
        assert refused.msg.startswith(f"This API key lacks the scope {scope}."), (method, route)
        assert only[scope].send(method, path, {"request_text": "?"}).status != 403, (method, route)
    assert all(key.get(routes.KEY_TEST).status == 200 for key in only.values()), "the check itself needs none"


def test_a_limited_key_sees_and_asks_in_its_loops_only(backend: Backend, loop: str) -> None:
    elsewhere = backend.key.new_loop("Elsewhere")
    there = backend.key.asked(elsewhere)
    limited = backend.new_key(*ALL, loops=[loop])
    assert limited.get(routes.KEY_TEST).data["loop_ids"] == [loop]
    assert [one["id"] for one in limited.get(routes.LOOPS).data["loops"]] == [loop]
    assert limited.ask(loop).status == 201
    assert limited.ask(elsewhere).refusal == (403, "Access denied to this loop", None)
    for route in (routes.LOOP, routes.MEMBERS, routes.LOOP_REQUESTS):
        assert limited.get(route.format(loop_id=elsewhere)).refusal == (403, "Access denied to this loop", None)
    assert limited.request(there).refusal == (403, "Access denied to this request", None)
    made = limited.post(routes.LOOPS, {"name": "Another", "icon": "bell"})
    assert made.status == 403
    assert made.msg.startswith("This API key is limited to some loops")
    unknown = backend.console.post(routes.KEYS, {"name": "Nowhere", "loop_ids": [NO_ID]})
    assert unknown.refusal == (404, "Loop not found", NO_ID)
