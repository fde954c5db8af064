"""Who answers for a loop, and how newcomers get in (H10).

A code or an invitation only makes somebody `pending`. Whoever is an active member already confirms them, and sees who
invited, with which code, and which address. No API key can confirm.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, literal, select, update

from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.teams import Member
from hitl_mcp.errors import Conflict, NotAllowed, NotFound
from hitl_mcp.service import loops
from hitl_mcp.service.actors import Agent, Person
from hitl_mcp.service.clock import maybe_moment
from hitl_mcp.service.membership import is_member
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import api_keys, invites, members, requests, sessions, users

CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Nothing that looks like something else."""
CODE_LENGTH = 9
CODE_MS = 7 * 24 * 3_600_000
MAX_WAITING = 50
"""Newcomers of one loop who came with a code and wait; more would bury whom its people expect."""

_of_loop = (
    select(members, users.c.name, users.c.email)
    .join(users, users.c.id == members.c.user_id)
    .where(members.c.loop_id == bindparam("loop_id"))
    .order_by(members.c.joined_at.is_(None), members.c.joined_at, members.c.user_id)
)
_valid_code = (
    select(invites)
    .join(members, (members.c.loop_id == invites.c.loop_id) & (members.c.user_id == invites.c.issuer_id))
    .where(members.c.status == "active", invites.c.expires_at > bindparam("now"))
)


def of_loop(tx: Tx, loop_id: str, creator_id: str) -> list[Member]:
    """The people of a loop, active ones first."""
    return [_member(row, creator_id) for row in tx.connection.execute(_of_loop, {"loop_id": loop_id})]


def _member(row: Any, creator_id: str) -> Member:
    return Member(
        user_id=row.user_id, name=row.name, email=row.email, status=row.status,
        role="owner" if row.user_id == creator_id else "member", joined_at=maybe_moment(row.joined_at),
        invited_at=maybe_moment(row.invited_at),
    )  # fmt: skip


_answered = (
    select(requests.c.response_by, func.max(requests.c.response_at).label("at"))
    .where(requests.c.loop_id == bindparam("loop_id"), requests.c.response_by.is_not(None))
    .group_by(requests.c.response_by)
)


def with_activity(tx: Tx, loop_id: str, creator_id: str) -> list[Member]:
    """The people of a loop, with when each last answered in it. Reads all requests of the loop."""
    answered = {row.response_by: row.at for row in tx.connection.execute(_answered, {"loop_id": loop_id})}
    return [
        member.model_copy(update={"last_active": maybe_moment(answered.get(member.user_id))})
        for member in of_loop(tx, loop_id, creator_id)
    ]


def statistics(found: Sequence[Member]) -> dict[str, Any]:
    """What the older members list told beside the members: how long joining took, first and last (section 2.3)."""
    joined = [member.joined_at for member in found if member.joined_at is not None]
    took = [(member.joined_at - member.invited_at).total_seconds() / 86_400
            for member in found if member.joined_at is not None and member.invited_at is not None]  # fmt: skip
    return {
        "avg_join_time_days": round(sum(took) / len(took), 2) if took else 0,
        "newest_member_joined": max(joined, default=None),
        "oldest_member_joined": min(joined, default=None),
    }


def code_of(tx: Tx, loop_id: str) -> str | None:
    """The loop's newest living code. Codes die after 7 days and with their issuer's membership."""
    newest = _valid_code.where(invites.c.loop_id == loop_id).order_by(invites.c.created_at.desc()).limit(1)
    row = tx.connection.execute(newest, {"now": tx.now}).first()
    return None if row is None else str(row.code)


def rotate_code(tx: Tx, loop_id: str, issuer_id: str) -> str:
    """A fresh code; the former ones are worthless."""
    tx.connection.execute(delete(invites).where(invites.c.loop_id == loop_id))
    code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    entry = {"code": code, "loop_id": loop_id, "issuer_id": issuer_id, "created_at": tx.now}
    tx.connection.execute(insert(invites), entry | {"expires_at": tx.now + CODE_MS})
    return code


def loop_of_code(tx: Tx, code: str) -> str:
    """Which loop a living code leads to. Raises: NotFound."""
    row = tx.connection.execute(_valid_code.where(invites.c.code == code.strip().upper()), {"now": tx.now}).first()
    if row is None:
        raise NotFound("This invitation is not known or has expired. Ask whoever sent it for a new one")
    loops.found(tx, row.loop_id)
    return str(row.loop_id)


def person_with(tx: Tx, email: str, name: str | None) -> str:
    """The id of the person with this address, made when there is none."""
    known = known_by(tx, email, name)
    return known if known is not None else _new_person(tx, email, name)


def known_by(tx: Tx, email: str, name: str | None = None) -> str | None:
    """The id of the person with this address, for somebody who vouches for it: an inviting key, or the terminal.

    Whoever only claimed the address, and was let in nowhere, is signed out and loses the name they gave themselves:
    nobody gets in by having typed another's address first (H10).
    """
    known = tx.connection.execute(select(users.c.id).where(users.c.email == email)).scalar()
    if known is None:
        return None
    let_in = select(members.c.loop_id).where(members.c.user_id == known, members.c.status == "active").limit(1)
    if tx.connection.execute(let_in).first() is None:
        tx.connection.execute(delete(sessions).where(sessions.c.user_id == known))
        if name is not None:
            tx.connection.execute(update(users).where(users.c.id == known).values(name=name))
    return str(known)


def _new_person(tx: Tx, email: str, name: str | None) -> str:
    user_id = new_id()
    entry = {"id": user_id, "name": name or email, "email": email, "created_at": tx.now}
    tx.connection.execute(insert(users), entry)
    return user_id


_vouch_for = (
    update(members)
    .where(
        members.c.loop_id == bindparam("in_loop"), members.c.user_id == bindparam("who"),
        members.c.status == "pending", members.c.invite_code.is_not(None),
    )
    .values(invited_by=bindparam("by"), invite_code=None)
)  # fmt: skip
"""Whoever came with a code waits as invited from now on; by then they were signed out."""


def invite(tx: Tx, agent: Agent, loop_id: str, email: str, name: str | None) -> Member:
    """Add a person by address, pending. Raises: NotFound, NotAllowed, Conflict when they are in it already."""
    loop = loops.find_owned(tx, agent, loop_id, "add members")
    user_id = person_with(tx, email, name)
    if tx.connection.execute(_vouch_for, {"in_loop": loop_id, "who": user_id, "by": agent.actor}).rowcount == 0:
        _add_pending(tx, loop_id, user_id, invited_by=agent.actor)
    return next(member for member in of_loop(tx, loop_id, loop.creator_id) if member.user_id == user_id)


def join(tx: Tx, code: str, email: str, name: str) -> tuple[str, str]:
    """A newcomer with a code asks to join; returns the loop and the person made for them.

    An address that is known already stays with its person: nobody gets into another's account by naming their address.

    Raises: NotFound for a dead code, Conflict for an address that belongs to somebody.
    """
    loop_id = loop_of_code(tx, code)
    if tx.connection.execute(select(users.c.id).where(users.c.email == email)).first() is not None:
        raise Conflict("This address is known here already. Sign in first, or ask whoever invited you to sign you in")
    _check_room(tx, loop_id)
    user_id = _new_person(tx, email, name)
    _add_pending(tx, loop_id, user_id, invited_by=None, code=code.strip().upper())
    return loop_id, user_id


def join_as(tx: Tx, code: str, person: Person) -> str:
    """A signed-in person with a code asks to join another loop. Raises: NotFound, Conflict."""
    loop_id = loop_of_code(tx, code)
    _check_room(tx, loop_id)
    _add_pending(tx, loop_id, person.user_id, invited_by=None, code=code.strip().upper())
    return loop_id


def _check_room(tx: Tx, loop_id: str) -> None:
    came = members.c.loop_id == loop_id, members.c.status == "pending", members.c.invite_code.is_not(None)
    if tx.connection.execute(select(func.count()).where(*came)).scalar_one() >= MAX_WAITING:
        raise Conflict("Too many people wait for this loop. Ask whoever invited you to have them let in or declined")


def _add_pending(tx: Tx, loop_id: str, user_id: str, *, invited_by: str | None, code: str | None = None) -> None:
    mine = members.c.loop_id == loop_id, members.c.user_id == user_id
    status = tx.connection.execute(select(members.c.status).where(*mine)).scalar()
    if status is not None:
        raise Conflict("This person is in the loop already", {"status": status})
    entry = {"loop_id": loop_id, "user_id": user_id, "status": "pending", "invited_at": tx.now}
    tx.connection.execute(insert(members), entry | {"invited_by": invited_by, "invite_code": code})


def remove(tx: Tx, agent: Agent, loop_id: str, user_id: str) -> None:
    """Take a person out of a loop. Raises: NotFound, NotAllowed (the creator stays)."""
    loop = loops.find_owned(tx, agent, loop_id, "remove members")
    if user_id == loop.creator_id:
        raise NotAllowed("Loop creator cannot remove themselves")
    gone = delete(members).where(members.c.loop_id == loop_id, members.c.user_id == user_id)
    if tx.connection.execute(gone).rowcount == 0:
        raise NotFound("User is not a member of this loop")
    _let_go(tx, user_id)


def _let_go(tx: Tx, user_id: str) -> None:
    """Whoever is left in no loop is signed out; an address that did nothing here is free for whom it belongs to."""
    if tx.connection.execute(select(members.c.loop_id).where(members.c.user_id == user_id).limit(1)).first() is None:
        tx.connection.execute(delete(sessions).where(sessions.c.user_id == user_id))
        acted = (
            select(requests.c.id).where(requests.c.response_by == user_id).limit(1),
            select(api_keys.c.id).where(api_keys.c.user_id == user_id).limit(1),
        )
        if all(tx.connection.execute(one).first() is None for one in acted):
            tx.connection.execute(update(users).where(users.c.id == user_id).values(email=None))


_waiting = (
    select(members, users.c.name, users.c.email, api_keys.c.name.label("key_name"))
    .join(users, users.c.id == members.c.user_id)
    .outerjoin(api_keys, members.c.invited_by == literal("key:") + api_keys.c.id)
    .where(members.c.status == "pending", members.c.loop_id.in_(bindparam("loop_ids", expanding=True)))
    .order_by(members.c.invited_at, members.c.user_id)
)


def newcomers(tx: Tx, person: Person) -> list[dict[str, Any]]:
    """Who waits to be confirmed in the loops of this person, and how they came (H10)."""
    mine = {loop.id: loop for loop in loops.joined(tx, person.user_id)}
    if not mine:
        return []
    return [
        {
            "loop": mine[row.loop_id],
            "user_id": row.user_id,
            "name": row.name,
            "email": row.email,
            "code": row.invite_code,
            "invited_by": row.key_name or row.invited_by,
            "at": maybe_moment(row.invited_at),
        }
        for row in tx.connection.execute(_waiting, {"loop_ids": sorted(mine)})
    ]


def confirm(tx: Tx, person: Person, loop_id: str, user_id: str) -> None:
    """Let a newcomer in. Raises: NotAllowed for who is not an active member, NotFound."""
    _only_members(tx, person, loop_id)
    done = (
        update(members)
        .where(members.c.loop_id == loop_id, members.c.user_id == user_id, members.c.status == "pending")
        .values(status="active", joined_at=tx.now)
    )
    if tx.connection.execute(done).rowcount == 0:
        raise NotFound("Nobody with this name waits any more")


def decline(tx: Tx, person: Person, loop_id: str, user_id: str) -> None:
    """Send a newcomer away. Raises: NotAllowed for who is not an active member, NotFound."""
    _only_members(tx, person, loop_id)
    gone = delete(members).where(
        members.c.loop_id == loop_id, members.c.user_id == user_id, members.c.status == "pending"
    )
    if tx.connection.execute(gone).rowcount == 0:
        raise NotFound("Nobody with this name waits any more")
    _let_go(tx, user_id)


def _only_members(tx: Tx, person: Person, loop_id: str) -> None:
    loops.found(tx, loop_id)
    if not is_member(tx, loop_id, person.user_id):
        raise NotAllowed("Only an active member of the loop can confirm a newcomer")
