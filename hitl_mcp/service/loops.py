"""Loops and their members: plain record keeping."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select

from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.models import Loop
from hitl_mcp.errors import BadRequest, NotFound
from hitl_mcp.service.clock import moment
from hitl_mcp.service.rows import IS_OPEN, columns
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import loops, members, requests

_members = select(func.count()).where(members.c.loop_id == loops.c.id, members.c.status == "active").scalar_subquery()
_pending = (
    select(func.count())
    .where(
        requests.c.loop_id == loops.c.id,
        IS_OPEN,
        requests.c.timeout_at > bindparam("now"),
    )
    .scalar_subquery()
)
_all = select(loops, _members.label("member_count"), _pending.label("pending_count")).order_by(
    loops.c.created_at, loops.c.id
)
_one = _all.where(loops.c.id == bindparam("loop_id"))
_active = select(func.count()).where(members.c.loop_id == bindparam("loop_id"), members.c.status == "active")
_exists = select(loops.c.id).where(loops.c.id == bindparam("loop_id"))


def _loop(row: Row[Any]) -> Loop:
    fields = columns(row)
    return Loop.model_validate(fields | {"created_at": moment(row.created_at), "updated_at": moment(row.updated_at)})


def listed(tx: Tx) -> list[Loop]:
    """Every loop, oldest first."""
    return [_loop(row) for row in tx.connection.execute(_all, {"now": tx.now})]


def found(tx: Tx, loop_id: str) -> Loop:
    """One loop. Raises: NotFound."""
    row = tx.connection.execute(_one, {"now": tx.now, "loop_id": loop_id}).first()
    if row is None:
        raise NotFound("Loop not found")
    return _loop(row)


def active_members(tx: Tx, loop_id: str) -> int:
    """How many people a request of this loop reaches. Raises: NotFound, BadRequest when there is nobody."""
    count = tx.connection.execute(_active, {"loop_id": loop_id}).scalar_one()
    if count == 0:
        if tx.connection.execute(_exists, {"loop_id": loop_id}).first() is None:
            raise NotFound("Loop not found")
        raise BadRequest("No active members found in the loop")
    return count


def add_loop(tx: Tx, *, name: str, description: str, icon: str, creator_id: str) -> str:
    """A new loop whose creator is its first active member; returns its id."""
    loop_id = new_id()
    stamp = {"created_at": tx.now, "updated_at": tx.now}
    tx.connection.execute(
        insert(loops),
        {"id": loop_id, "name": name, "description": description, "icon": icon, "creator_id": creator_id, **stamp},
    )
    tx.connection.execute(
        insert(members), {"loop_id": loop_id, "user_id": creator_id, "status": "active", "joined_at": tx.now}
    )
    return loop_id
