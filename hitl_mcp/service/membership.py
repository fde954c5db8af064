"""Who answers for which loop, said in one place: reads, guarded updates and pages all ask it here (H10)."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import members, requests

JOINED = select(members.c.loop_id).where(members.c.user_id == bindparam("user_id"), members.c.status == "active")
"""The loops that the person `user_id` is an active member of."""

IN_MY_LOOP = requests.c.loop_id.in_(JOINED)
"""The condition that a request is of one of them."""

_in_loop = JOINED.where(members.c.loop_id == bindparam("loop_id"))


def is_member(tx: Tx, loop_id: str, user_id: str) -> bool:
    """Whether a person is an active member of a loop."""
    return tx.connection.execute(_in_loop, {"loop_id": loop_id, "user_id": user_id}).first() is not None


def answered_by(tx: Tx, user_id: str) -> frozenset[str]:
    """The loops a person is an active member of; a newcomer who was not confirmed yet is of none."""
    return frozenset(tx.connection.execute(JOINED, {"user_id": user_id}).scalars())
