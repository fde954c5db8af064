"""The event log, a page at a time, for `hitl-mcp events export`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, func, select

from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import events

_page = (
    select(events)
    .where(events.c.position > bindparam("after"), events.c.position <= bindparam("up_to"))
    .order_by(events.c.position)
    .limit(bindparam("most"))
)
_before = select(func.coalesce(func.max(events.c.position), 0)).where(events.c.at < bindparam("moment"))


def page(tx: Tx, after: int, up_to: int, most: int) -> list[dict[str, Any]]:
    """Entries after a position, as they are exported: with their data as the text that its hash was taken over."""
    found = tx.connection.execute(_page, {"after": after, "up_to": up_to, "most": most})
    return [
        {
            "kind": "event",
            "position": row.position,
            "request_id": row.request_id,
            "seq": row.seq,
            "type": row.type,
            "actor": row.actor,
            "at": row.at,
            "data": row.data,
            "data_hash": row.data_hash,
            "previous_hash": row.previous_hash,
            "hash": row.hash,
        }
        for row in found
    ]


def position_before(tx: Tx, moment: int) -> int:
    """After which position an export from a moment (milliseconds since 1970) begins."""
    return int(tx.connection.execute(_before, {"moment": moment}).scalar_one())
