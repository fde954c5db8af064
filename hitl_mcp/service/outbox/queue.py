"""The queue in the database: put in the transaction of what a delivery tells of, so that nothing is lost (H23)."""

from __future__ import annotations

from sqlalchemy import insert

from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import deliveries

_insert = insert(deliveries).returning(deliveries.c.id)


def put(
    tx: Tx,
    *,
    kind: str,
    target: str,
    event_id: str,
    event: str,
    body: str,
    request_id: str | None = None,
    seq: int | None = None,
    due_at: int | None = None,
) -> int:
    """Have something sent; returns its row.

    Args:
        kind: which sender takes it.
        target: the endpoint, key or channel it goes to; with the request it is the line that stays in order.
        due_at: not before then, in milliseconds since 1970; None: at once.
    """
    entry = {
        "kind": kind,
        "target": target,
        "line": f"{target}/{request_id or ''}",
        "event_id": event_id,
        "event": event,
        "request_id": request_id,
        "seq": seq,
        "body": body,
        "created_at": tx.now,
        "state": "waiting",
        "due_at": tx.now if due_at is None else due_at,
        "attempts": 0,
        "fence": 0,
    }
    return int(tx.connection.execute(_insert, entry).scalar_one())
