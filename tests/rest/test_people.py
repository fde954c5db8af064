"""Members and the ways in, as the API sees them (section 2.3, H10). Joining itself is a page of the inbox."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hitl_mcp.contract import routes
from tests.rest.backend import PUBLIC, Backend
from tests.rest.pictures import qr_text

NO_ID = "0" * 24
DAY = 86_400


def invite(backend: Backend, loop: str, email: str = "grace@example.com") -> dict[str, Any]:
    """A person invited by address; the member."""
    reply = backend.key.post(routes.MEMBERS.format(loop_id=loop), {"email": email, "name": "Grace"})
    assert reply.said == (201, "Member invited"), reply.body
    return reply.data["member"]


def test_the_members_list_has_the_fields_of_both_shapes(backend: Backend, loop: str) -> None:
    invited = invite(backend, loop)
    reply = backend.key.get(routes.MEMBERS.format(loop_id=loop))
    assert reply.said == (200, "Loop members retrieved successfully")
    owner, grace = reply.data["members"]
    assert (owner["user_id"], owner["status"], owner["role"]) == (backend.key.user_id, "active", "owner")
    assert (grace["user_id"], grace["email"], grace["status"]) == (invited["user_id"], "grace@example.com", "pending")
    assert (grace["role"], grace["joined_at"]) == ("member", None)
    assert owner["joined_at"].endswith("Z") and owner["last_active"] is None
    counts = ("loop_id", "member_count", "total_count", "active_count", "pending_count")
    assert [reply.data[name] for name in counts] == [loop, 1, 2, 1, 1]
    assert reply.data["statistics"] == {
        "avg_join_time_days": 0,
        "newest_member_joined": owner["joined_at"],
        "oldest_member_joined": owner["joined_at"],
    }


def test_statistics_and_activity_of_members(backend: Backend, loop: str) -> None:
    invited = invite(backend, loop)
    backend.clock.move(DAY)
    backend.let_in(loop, invited["user_id"])
    asked = backend.key.asked(loop)
    backend.clock.move(60)
    backend.answer(asked, "Approve")
    data = backend.key.get(routes.MEMBERS.format(loop_id=loop)).data
    owner, grace = data["members"]
    assert owner["last_active"] == backend.key.request(asked).data["request"]["response_at"]
    assert grace["last_active"] is None
    assert data["statistics"] == {
        "avg_join_time_days": 1.0,
        "newest_member_joined": grace["joined_at"],
        "oldest_member_joined": owner["joined_at"],
    }


def test_an_invited_person_gets_no_requests_until_a_person_confirms(backend: Backend, loop: str) -> None:
    invited = invite(backend, loop)
    asked = backend.key.ask(loop)
    assert asked.data["broadcasted_to"] == 1
    grace = backend.reviewer("grace@example.com")
    assert backend.answer(asked.data["request_id"], "Approve", by=grace).status == 404
    backend.let_in(loop, invited["user_id"])
    assert backend.key.ask(loop).data["broadcasted_to"] == 2
    assert backend.answer(asked.data["request_id"], "Approve", by=grace).status == 200


def test_an_invitation_is_once_for_a_person_of_any_spelling(backend: Backend, loop: str) -> None:
    first = invite(backend, loop, "ada@example.com")
    path = routes.MEMBERS.format(loop_id=loop)
    again = backend.key.post(path, {"email": " ADA@Example.COM "})
    assert again.refusal == (409, "This person is in the loop already", {"status": "pending"})
    backend.let_in(loop, first["user_id"])
    again = backend.key.post(path, {"email": "ada@example.com"})
    assert again.refusal == (409, "This person is in the loop already", {"status": "active"})


@pytest.mark.parametrize(
    ("wrong", "msg", "data"),
    [
        ({}, "Validation failed", "email is required"),
        ({"email": "ada"}, "Validation failed", "email must be an e-mail address, like ada@example.com"),
        ({"email": "ada@home"}, "Validation failed", "email must be an e-mail address, like ada@example.com"),
        ({"email": 5}, "Invalid request body", "email must be a string"),
        ({"email": "a@b.cd", "name": ""}, "Validation failed", "name String should have at least 1 character"),
    ],
)
def test_an_invitation_that_does_not_fit(backend: Backend, loop: str, wrong: Any, msg: str, data: str) -> None:
    assert backend.key.post(routes.MEMBERS.format(loop_id=loop), wrong).refusal == (400, msg, data)


def test_a_member_is_removed_and_reads_nothing_any_more(backend: Backend, loop: str) -> None:
    user_id = invite(backend, loop)["user_id"]
    backend.let_in(loop, user_id)
    asked = backend.key.asked(loop)
    assert backend.other.request(asked).status == 200, "a member's key reads the loop's requests"
    path = routes.MEMBER.format(loop_id=loop, user_id=user_id.upper())
    reply = backend.key.delete(path)
    assert reply.said == (200, "Member removed successfully")
    assert (reply.data["loop_id"], reply.data["user_id"]) == (loop, user_id)
    assert reply.data["removed_at"].endswith("Z")
    assert backend.other.request(asked).refusal == (403, "Access denied to this request", None)
    assert backend.answer(asked, "Approve", by=backend.reviewer("grace@example.com")).status == 404
    assert backend.key.delete(path).refusal == (404, "User is not a member of this loop", None)


def test_the_creator_stays(backend: Backend, loop: str) -> None:
    reply = backend.key.delete(routes.MEMBER.format(loop_id=loop, user_id=backend.key.user_id))
    assert reply.refusal == (403, "Loop creator cannot remove themselves", None)
    unknown = backend.key.delete(routes.MEMBER.format(loop_id=loop, user_id=NO_ID))
    assert unknown.refusal == (404, "User is not a member of this loop", None)
    bad = backend.key.delete(routes.MEMBER.format(loop_id=loop, user_id="ada"))
    assert bad.said == (400, "Invalid user ID format")


def test_the_qr_code_leads_to_the_join_page(backend: Backend) -> None:
    data = backend.key.post(routes.LOOPS, {"name": "Scanned", "icon": "bell"}).data
    assert len(data["invite_code"]) == 9
    origin = PUBLIC if backend.kind == "served on SQLite" else f"http://localhost:{backend.services.keys.port}"
    assert data["join_url"] == f"{origin}/join/{data['invite_code']}"
    assert data["qr_code_url"] == f"{origin}/qr/{data['invite_code']}.png"
    kind, _, packed = data["qr_code_base64"].partition(",")
    assert kind == "data:image/png;base64"
    image = base64.b64decode(packed)
    assert qr_text(image) == data["join_url"]
    drawn = backend.http.get(f"/qr/{data['invite_code'].lower()}.png")
    assert (drawn.status_code, drawn.headers["Content-Type"], drawn.content) == (200, "image/png", image)


def test_a_renewed_code_ends_the_former_one(backend: Backend, loop: str) -> None:
    path = routes.LOOP.format(loop_id=loop)
    before = backend.key.get(path).data["loop"]["invite_code"]
    reply = backend.key.post(routes.LOOP_INVITE.format(loop_id=loop))
    assert reply.said == (201, "Invitation renewed")
    code = reply.data["invite_code"]
    assert code != before and reply.data["loop_id"] == loop
    assert qr_text(base64.b64decode(reply.data["qr_code_base64"].partition(",")[2])) == reply.data["join_url"]
    assert backend.key.get(path).data["loop"]["invite_code"] == code
    dead = (404, "This invitation is not known or has expired. Ask whoever sent it for a new one", None)
    assert backend.nobody.send("GET", f"/qr/{before}.png").refusal == dead
    assert backend.http.get(f"/qr/{code}.png").status_code == 200
    assert backend.nobody.send("GET", "/qr/NO-CODE.png").said == (400, "Invalid invitation code format")


def test_a_code_lives_for_seven_days(backend: Backend, loop: str) -> None:
    path = routes.LOOP.format(loop_id=loop)
    code = backend.key.get(path).data["loop"]["invite_code"]
    backend.clock.move(7 * DAY - 1)
    assert backend.key.get(path).data["loop"]["invite_code"] == code
    assert backend.http.get(f"/qr/{code}.png").status_code == 200
    backend.clock.move(1)
    assert backend.key.get(path).data["loop"]["invite_code"] is None
    assert backend.http.get(f"/qr/{code}.png").status_code == 404
    assert backend.key.post(routes.LOOP_INVITE.format(loop_id=loop)).status == 201
