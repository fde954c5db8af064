"""The people of a loop, and who lets newcomers in (H10).

A code or an invitation only makes somebody `pending`. Owners and reviewers confirm them, and see who invited, with
which code, and which address. No API key can confirm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, func, literal, select, update

from hitl_mcp.contract.teams import Member, Role
from hitl_mcp.errors import NotAllowed, NotFound
from hitl_mcp.service import loops
from hitl_mcp.service.actors import Person
from hitl_mcp.service.clock import maybe_moment
from hitl_mcp.service.membership import ROLE, answered_by, answers_in
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import api_keys, members, requests, sessions, sign_ins, users
from hitl_mcp.service.store.tables import loops as loops_table
from hitl_mcp.service.webhooks import fan_out

_of_loop = (
    select(members, users.c.name, users.c.email, ROLE.label("part"))
    .join(users, users.c.id == members.c.user_id)
    .join(loops_table, loops_table.c.id == members.c.loop_id)
    .where(members.c.loop_id == bindparam("loop_id"))
    .order_by(members.c.joined_at.is_(None), members.c.joined_at, members.c.user_id)
)


def of_loop(tx: Tx, loop_id: str) -> list[Member]:
    """The people of a loop, active ones first."""
    return [_member(row) for row in tx.connection.execute(_of_loop, {"loop_id": loop_id})]


_ON_THE_WIRE = {Role.OWNER: "owner", Role.REVIEWER: "member", Role.VIEWER: "viewer"}
"""The contract's word for who answers is `member`; `viewer` is ours."""


def _member(row: Any) -> Member:
    return Member(
        user_id=row.user_id, name=row.name, email=row.email, status=row.status,
        role=_ON_THE_WIRE[Role(row.part)], joined_at=maybe_moment(row.joined_at),
        invited_at=maybe_moment(row.invited_at),
    )  # fmt: skip


_answered = (
    select(requests.c.response_by, func.max(requests.c.response_at).label("at"))
    .where(requests.c.loop_id == bindparam("loop_id"), requests.c.response_by.is_not(None))
    .group_by(requests.c.response_by)
)


def with_activity(tx: Tx, loop_id: str) -> list[Member]:
    """The people of a loop, with when each last answered in it. Reads all requests of the loop."""
    answered = {row.response_by: row.at for row in tx.connection.execute(_answered, {"loop_id": loop_id})}
    return [
        member.model_copy(update={"last_active": maybe_moment(answered.get(member.user_id))})
        for member in of_loop(tx, loop_id)
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


def let_go(tx: Tx, user_id: str) -> None:
    """Whoever is left in no loop is signed out; an address that did nothing here is free for whom it belongs to."""
    if tx.connection.execute(select(members.c.loop_id).where(members.c.user_id == user_id).limit(1)).first() is None:
        tx.connection.execute(delete(sessions).where(sessions.c.user_id == user_id))
        tx.connection.execute(delete(sign_ins).where(sign_ins.c.user_id == user_id))
        acted = (
            select(loops_table.c.id).where(loops_table.c.creator_id == user_id).limit(1),
            select(requests.c.id).where(requests.c.response_by == user_id).limit(1),
            select(api_keys.c.id).where(api_keys.c.user_id == user_id).limit(1),
        )
        if all(tx.connection.execute(one).first() is None for one in acted):
            nobody = {"email": None, "password_hash": None}
            tx.connection.execute(update(users).where(users.c.id == user_id).values(**nobody))


_waiting = (
    select(members, users.c.name, users.c.email, api_keys.c.name.label("key_name"))
    .join(users, users.c.id == members.c.user_id)
    .outerjoin(api_keys, members.c.invited_by == literal("key:") + api_keys.c.id)
    .where(members.c.status == "pending", members.c.loop_id.in_(bindparam("loop_ids", expanding=True)))
    .order_by(members.c.invited_at, members.c.user_id)
)


def newcomers(tx: Tx, person: Person) -> list[dict[str, Any]]:
    """Who waits to be confirmed in the loops of this person, and how they came (H10)."""
    answered = answered_by(tx, person.user_id)
    mine = {loop.id: loop for loop in loops.joined(tx, person.user_id) if loop.id in answered}
    if not mine:
        return []
    return [
        {
            "loop": mine[row.loop_id],
            "user_id": row.user_id,
            "name": row.name,
            "email": row.email,
            "code": row.invite_code,
            "key": row.key_name,
            "invited_by": None if row.key_name else row.invited_by,
            "role": Role(row.role or Role.REVIEWER),
            "at": maybe_moment(row.invited_at),
        }
        for row in tx.connection.execute(_waiting, {"loop_ids": sorted(mine)})
    ]


def confirm(tx: Tx, person: Person, loop_id: str, user_id: str) -> None:
    """Let a newcomer in. Raises: NotAllowed for who does not answer for the loop, NotFound."""
    _only_answerers(tx, person, loop_id)
    let_in(tx, loop_id, user_id)


def let_in(tx: Tx, loop_id: str, user_id: str) -> None:
    """Make a pending person an active one, and have whoever subscribed told. Raises: NotFound."""
    done = (
        update(members)
        .where(members.c.loop_id == loop_id, members.c.user_id == user_id, members.c.status == "pending")
        .values(status="active", joined_at=tx.now)
    )
    if tx.connection.execute(done).rowcount == 0:
        raise NotFound("Nobody with this name waits any more")
    fan_out.of_loop(tx, loop_id, "loop.member_joined", facts_of(tx, loop_id, user_id))


def facts_of(tx: Tx, loop_id: str, user_id: str) -> dict[str, Any]:
    """What is told of somebody who comes or goes."""
    row = tx.connection.execute(_of_loop.where(members.c.user_id == user_id), {"loop_id": loop_id}).one()
    return {"user_id": user_id, "name": row.name, "email": row.email, "role": _ON_THE_WIRE[Role(row.part)]}


def decline(tx: Tx, person: Person, loop_id: str, user_id: str) -> None:
    """Send a newcomer away. Raises: NotAllowed for who does not answer for the loop, NotFound."""
    _only_answerers(tx, person, loop_id)
    gone = delete(members).where(
        members.c.loop_id == loop_id, members.c.user_id == user_id, members.c.status == "pending"
    )
    if tx.connection.execute(gone).rowcount == 0:
        raise NotFound("Nobody with this name waits any more")
    let_go(tx, user_id)


def _only_answerers(tx: Tx, person: Person, loop_id: str) -> None:
    loops.found(tx, loop_id)
    if not answers_in(tx, loop_id, person.user_id):
        raise NotAllowed("Only an owner or a reviewer of the loop lets a newcomer in")
