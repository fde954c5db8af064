"""Who belongs to a loop and what for, said in one place: reads, guarded updates and pages all ask it here (H10)."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, bindparam, case, func, select

from hitl_mcp.contract.teams import Role
from hitl_mcp.errors import NotAllowed, NotFound
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import loops, members, requests

_AS_MADE = case((members.c.user_id == loops.c.creator_id, Role.OWNER.value), else_=Role.REVIEWER.value)
ROLE: ColumnElement[str] = func.coalesce(members.c.role, _AS_MADE)
"""A member's role, in a statement that reads `members` and `loops`: without one a loop's creator owns it."""

MAY_ANSWER: ColumnElement[bool] = func.coalesce(members.c.role, Role.REVIEWER.value) != Role.VIEWER.value
"""The condition that a member answers, in a statement that reads `members`."""

JOINED = select(members.c.loop_id).where(members.c.user_id == bindparam("user_id"), members.c.status == "active")
"""The loops that the person `user_id` is an active member of: they may see what is in them."""

ANSWERS = and_(members.c.status == "active", MAY_ANSWER)
"""The condition that a member of a loop answers for it."""

ANSWERED = JOINED.where(MAY_ANSWER)
"""The ones of them that the person answers for."""

IN_MY_LOOP = requests.c.loop_id.in_(JOINED)
"""The condition that a person may see a request."""

MINE_TO_ANSWER = requests.c.loop_id.in_(ANSWERED)
"""The condition that a person may act on a request."""

_in_loop = JOINED.where(members.c.loop_id == bindparam("loop_id"))
_answers_in = ANSWERED.where(members.c.loop_id == bindparam("loop_id"))
_role_in = (
    select(ROLE)
    .join_from(members, loops, loops.c.id == members.c.loop_id)
    .where(
        members.c.loop_id == bindparam("loop_id"),
        members.c.user_id == bindparam("user_id"),
        members.c.status == "active",
    )
)


def is_member(tx: Tx, loop_id: str, user_id: str) -> bool:
    """Whether a person is an active member of a loop, in whatever role."""
    return tx.connection.execute(_in_loop, {"loop_id": loop_id, "user_id": user_id}).first() is not None


def answers_in(tx: Tx, loop_id: str, user_id: str) -> bool:
    """Whether a person is an active member of a loop who may answer there."""
    return tx.connection.execute(_answers_in, {"loop_id": loop_id, "user_id": user_id}).first() is not None


def role_in(tx: Tx, loop_id: str, user_id: str) -> Role | None:
    """What a person is in a loop; None for who is no active member."""
    found = tx.connection.execute(_role_in, {"loop_id": loop_id, "user_id": user_id}).scalar()
    return None if found is None else Role(found)


def answered_by(tx: Tx, user_id: str) -> frozenset[str]:
    """The loops a person answers for."""
    return frozenset(tx.connection.execute(ANSWERED, {"user_id": user_id}).scalars())


def need_owner(tx: Tx, loop_id: str, user_id: str) -> None:
    """Only who keeps the loop goes on. Raises: NotFound for who may not see it, NotAllowed."""
    _need(role_in(tx, loop_id, user_id), (Role.OWNER,), "Only an owner of the loop can do this")


def need_answerer(tx: Tx, loop_id: str, user_id: str) -> None:
    """Only who answers for the loop goes on. Raises: NotFound for who may not see it, NotAllowed."""
    _need(role_in(tx, loop_id, user_id), (Role.OWNER, Role.REVIEWER), VIEWER_ONLY)


VIEWER_ONLY = "You are a viewer of this loop: you see its requests, and its owners and reviewers act on them"


def _need(role: Role | None, wanted: tuple[Role, ...], otherwise: str) -> None:
    if role is None:
        raise NotFound("Loop not found")
    if role not in wanted:
        raise NotAllowed(otherwise)


def joined_by(tx: Tx, user_id: str) -> frozenset[str]:
    """The loops a person is an active member of; a newcomer who was not confirmed yet is of none."""
    return frozenset(tx.connection.execute(JOINED, {"user_id": user_id}).scalars())


_all_joined = select(members.c.user_id, members.c.loop_id).where(
    members.c.user_id.in_(bindparam("user_ids", expanding=True)), members.c.status == "active"
)


def joined_by_each(tx: Tx, user_ids: Collection[str]) -> dict[str, frozenset[str]]:
    """The loops that each of several people is an active member of."""
    found: dict[str, set[str]] = {user_id: set() for user_id in user_ids}
    for row in tx.connection.execute(_all_joined, {"user_ids": list(user_ids)}):
        found[row.user_id].add(row.loop_id)
    return {user_id: frozenset(loops) for user_id, loops in found.items()}
