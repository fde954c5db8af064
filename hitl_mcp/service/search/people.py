"""The people and the loop around a request, as its page names them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, select

from hitl_mcp.service.membership import ANSWERS
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import loops, members, users

_answerers = (
    select(users.c.id, users.c.name)
    .join(members, members.c.user_id == users.c.id)
    .where(members.c.loop_id == bindparam("loop_id"), ANSWERS)
    .order_by(users.c.name, users.c.id)
)
_guidelines = select(loops.c.guidelines).where(loops.c.id == bindparam("loop_id"))


def names_of(tx: Tx, user_ids: Iterable[str | None]) -> dict[str, str]:
    """The names of people by their ids."""
    wanted = sorted({user_id for user_id in user_ids if user_id is not None})
    if not wanted:
        return {}
    found = tx.connection.execute(select(users.c.id, users.c.name).where(users.c.id.in_(wanted)))
    return {row.id: row.name for row in found}


def answerers(tx: Tx, loop_id: str) -> dict[str, str]:
    """The ids and names of those who answer in a loop."""
    return {row.id: row.name for row in tx.connection.execute(_answerers, {"loop_id": loop_id})}


def guidelines_of(tx: Tx, loop_id: str) -> str | None:
    """What a loop's people ask reviewers to go by."""
    return tx.connection.execute(_guidelines, {"loop_id": loop_id}).scalar()
