"""Loops: create, list, get, update, delete which archives (section 2.2, H9)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hitl_mcp.contract import routes
from tests.rest.backend import Backend

NO_ID = "0" * 24
NAME_RANGE = "name must be between 1 and 100 characters"
ICON_RANGE = "icon must be between 1 and 100 characters"


def now_of(backend: Backend) -> str:
    """The service's time as the wire writes it."""
    written = datetime.fromtimestamp(backend.clock() / 1000, UTC).isoformat()
    return written.replace("+00:00", "Z")


def test_a_new_loop_has_every_field_of_the_contract(backend: Backend) -> None:
    body = {"name": "Refunds", "icon": "thumbs-up", "description": "Above 100 euro"}
    reply = backend.key.post(routes.LOOPS, body)
    assert reply.said == (201, "Loop created successfully with QR code")
    assert reply.body["error"] is False
    assert set(reply.data) == {"loop", "invite_code", "qr_code_base64", "qr_code_url", "join_url"}
    loop = reply.data["loop"]
    assert {name: loop[name] for name in body} == body
    assert len(loop["id"]) == 24 and int(loop["id"], 16) >= 0
    assert loop["creator_id"] == backend.key.user_id
    assert (loop["member_count"], loop["pending_count"]) == (1, 0), "the creator is a member at once"
    assert loop["created_at"] == loop["updated_at"] == now_of(backend)
    (member,) = loop["members"]
    assert (member["user_id"], member["status"]) == (backend.key.user_id, "active")
    assert member["joined_at"] == now_of(backend)


@pytest.mark.parametrize(
    ("wrong", "msg", "data"),
    [
        ({"icon": "bell"}, "Loop name is required", NAME_RANGE),
        ({"name": "", "icon": "bell"}, "Loop name is required", NAME_RANGE),
        ({"name": None, "icon": "bell"}, "Loop name is required", NAME_RANGE),
        ({"name": "n" * 101, "icon": "bell"}, "Validation failed", NAME_RANGE),
        ({"name": "   ", "icon": "bell"}, "Validation failed", "name must not be blank"),
        ({"name": 5, "icon": "bell"}, "Invalid request body", "name must be a string"),
        ({"name": "n"}, "Loop icon is required", ICON_RANGE),
        ({"name": "n", "icon": ""}, "Loop icon is required", ICON_RANGE),
        ({"name": "n", "icon": "i" * 101}, "Validation failed", ICON_RANGE),
        ({"name": "n", "icon": "bell", "description": "d" * 501}, "Validation failed",
         "description must be at most 500 characters"),
        ([], "Invalid request body", "the body must be a JSON object, sent with Content-Type: application/json"),
    ],
)  # fmt: skip
def test_what_a_loop_must_have(backend: Backend, wrong: Any, msg: str, data: str) -> None:
    assert backend.key.send("POST", routes.LOOPS, wrong).refusal == (400, msg, data)


def test_the_bounds_of_a_loops_fields_are_taken(backend: Backend) -> None:
    for name, description in (("n", None), ("n" * 100, "d" * 500), ("@#$%", "")):
        reply = backend.key.post(routes.LOOPS, {"name": name, "icon": "any-icon", "description": description})
        loop = reply.data["loop"]
        assert (reply.status, loop["name"], loop["description"]) == (201, name, description)
    same = backend.key.post(routes.LOOPS, {"name": "n", "icon": "bell", "unknown": True})
    assert same.status == 201, "names need not be unique, and fields that nobody knows are left alone"


def test_loops_are_listed_to_who_made_them_or_belongs_to_them(backend: Backend) -> None:
    mine, theirs = backend.key.new_loop(), backend.other.new_loop()
    for caller, seen, unseen in ((backend.key, mine, theirs), (backend.second, mine, theirs),
                                 (backend.other, theirs, mine)):  # fmt: skip
        reply = caller.get(routes.LOOPS)
        ids = [loop["id"] for loop in reply.data["loops"]]
        assert reply.said == (200, "Loops retrieved successfully")
        assert reply.data["count"] == len(ids)
        assert seen in ids and unseen not in ids


def test_a_loop_tells_its_people_and_to_its_creator_the_ways_in(backend: Backend, loop: str) -> None:
    reply = backend.second.get(routes.LOOP.format(loop_id=loop.upper()))
    assert reply.said == (200, "Loop retrieved successfully")
    shown = reply.data["loop"]
    assert shown["id"] == loop
    assert [member["role"] for member in shown["members"]] == ["owner"]
    assert shown["join_url"].endswith(f"/join/{shown['invite_code']}")
    assert shown["qr_code_url"].endswith(f"/qr/{shown['invite_code']}.png")
    member = backend.key.post(routes.MEMBERS.format(loop_id=loop), {"email": "grace@example.com"}).data["member"]
    backend.let_in(loop, member["user_id"])
    seen = backend.other.get(routes.LOOP.format(loop_id=loop)).data["loop"]
    assert seen["member_count"] == 2
    assert (seen["invite_code"], seen["join_url"], seen["qr_code_url"]) == (None, None, None)


def test_what_waits_in_a_loop_is_counted(backend: Backend, loop: str) -> None:
    ids = [backend.key.asked(loop) for _ in range(2)]
    assert backend.key.get(routes.LOOP.format(loop_id=loop)).data["loop"]["pending_count"] == 2
    backend.key.delete(routes.REQUEST.format(request_id=ids[0]))
    backend.answer(ids[1], "Approve")
    assert backend.key.get(routes.LOOP.format(loop_id=loop)).data["loop"]["pending_count"] == 0


def test_an_update_changes_what_is_given_and_nothing_else(backend: Backend, loop: str) -> None:
    path = routes.LOOP.format(loop_id=loop)
    backend.key.send("PUT", path, {"description": "first"})
    backend.clock.move(1)
    reply = backend.key.send("PUT", path, {"name": "Renamed"})
    assert reply.said == (200, "Loop updated successfully")
    changed = reply.data["loop"]
    assert (changed["name"], changed["description"], changed["icon"]) == ("Renamed", "first", "shield-check")
    assert changed["updated_at"] == now_of(backend) > changed["created_at"]
    cleared = backend.key.send("PUT", path, {"description": None, "icon": "lock"}).data["loop"]
    assert (cleared["name"], cleared["description"], cleared["icon"]) == ("Renamed", None, "lock")


@pytest.mark.parametrize(
    ("wrong", "msg", "data"),
    [
        ({}, "At least one field must be provided for update", None),
        ({"unknown": 1}, "At least one field must be provided for update", None),
        ({"name": None}, "Loop name is required", None),
        ({"icon": None}, "Loop icon is required", None),
        ({"name": ""}, "Loop name is required", NAME_RANGE),
        ({"name": "n" * 101}, "Validation failed", NAME_RANGE),
        ({"description": "d" * 501}, "Validation failed", "description must be at most 500 characters"),
    ],
)
def test_an_update_that_does_not_fit(backend: Backend, loop: str, wrong: Any, msg: str, data: str | None) -> None:
    assert backend.key.send("PUT", routes.LOOP.format(loop_id=loop), wrong).refusal == (400, msg, data)


def test_what_only_the_creator_may_do(backend: Backend, loop: str) -> None:
    member = backend.key.post(routes.MEMBERS.format(loop_id=loop), {"email": "grace@example.com"}).data["member"]
    path, person = routes.LOOP.format(loop_id=loop), routes.MEMBER.format(loop_id=loop, user_id=member["user_id"])
    denied = (403, "Access denied to this loop", None)
    assert backend.other.get(path).refusal == denied, "a pending member sees nothing"
    assert backend.other.send("PUT", path, {"name": "Mine"}).refusal == denied
    assert backend.other.ask(loop).refusal == (403, "Only loop creators can create requests", None)
    backend.let_in(loop, member["user_id"])
    assert backend.other.get(path).status == 200
    for reply, msg in (
        (backend.other.send("PUT", path, {"name": "Mine"}), "Only loop creator can update the loop"),
        (backend.other.delete(path), "Only loop creator can delete the loop"),
        (backend.other.delete(person), "Only loop creator can remove members"),
        (backend.other.post(routes.MEMBERS.format(loop_id=loop), {"email": "eve@example.com"}),
         "Only loop creator can add members"),
        (backend.other.post(routes.LOOP_INVITE.format(loop_id=loop)), "Only loop creator can renew the invitation"),
        (backend.other.ask(loop), "Only loop creators can create requests"),
    ):  # fmt: skip
        assert reply.refusal == (403, msg, None)


def test_a_loop_with_open_requests_is_not_deleted(backend: Backend, loop: str) -> None:
    asked, path = backend.key.asked(loop), routes.LOOP.format(loop_id=loop)
    refused = backend.key.delete(path)
    words = "1 open; cancel them or wait for their decisions"
    assert refused.refusal == (400, "Cannot delete loop with active requests", words)
    assert backend.key.get(path).status == 200
    backend.claim(asked)
    assert backend.key.delete(path).status == 400, "also while somebody has it"
    backend.clock.move(3600)
    assert backend.key.delete(path).status == 200, "an overdue request is not open"


def test_a_deleted_loop_is_archived_with_its_requests(backend: Backend, loop: str) -> None:
    asked, path = backend.key.asked(loop), routes.LOOP.format(loop_id=loop)
    code = backend.key.get(path).data["loop"]["invite_code"]
    backend.answer(asked, "Approve")
    reply = backend.key.delete(path)
    assert reply.said == (200, "Loop deleted successfully")
    assert reply.data == {
        "loop_id": loop,
        "deleted_at": now_of(backend),
        "archived": True,
        "deleted_data": {"members_removed": 1, "requests_deleted": 0, "responses_deleted": 0},
    }
    gone = (404, "Loop not found", None)
    for again in (backend.key.get(path), backend.key.delete(path), backend.key.send("PUT", path, {"name": "n"}),
                  backend.key.ask(loop), backend.key.get(routes.MEMBERS.format(loop_id=loop)),
                  backend.key.get(routes.LOOP_REQUESTS.format(loop_id=loop))):  # fmt: skip
        assert again.refusal == gone
    assert backend.key.send("GET", f"/qr/{code}.png").refusal == gone, "its code leads nowhere"
    assert loop not in str(backend.key.get(routes.LOOPS).body)
    assert backend.key.request(asked).data["response_data"] == "Approve", "requests and events are kept (H9)"
    assert [one["id"] for one in backend.key.get(routes.REQUESTS, loop_id=loop).data["requests"]] == [asked]
    assert backend.key.get(routes.REQUEST_EVENTS.format(request_id=asked)).data["events"]


def test_a_loop_that_is_not_there(backend: Backend) -> None:
    for method, route in (("GET", routes.LOOP), ("PUT", routes.LOOP), ("DELETE", routes.LOOP), ("GET", routes.MEMBERS),
                          ("GET", routes.LOOP_REQUESTS), ("POST", routes.LOOP_INVITE)):  # fmt: skip
        reply = backend.key.send(method, route.format(loop_id=NO_ID), {"name": "n"})
        assert reply.refusal == (404, "Loop not found", None), (method, route)
    assert backend.key.ask(NO_ID).refusal == (404, "Loop not found", None)
