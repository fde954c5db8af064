"""The queue in the database: put in the transaction of what a delivery tells of, so that nothing is lost (H23)."""

from __future__ import annotations

from sqlalchemy import insert

from hitl_mcp.service.store.base import Notice, Tx
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
    in_order: bool = True,
) -> int:
    """Have something sent; returns its row.

    Args:
        kind: which sender takes it.
        target: the endpoint, key or channel it goes to; with the request it is the line that stays in order.
        due_at: not before then, in milliseconds since 1970; None: at once.
        in_order: not before what was put earlier for the same target and request; else nothing holds it up.
    """
    due = tx.now if due_at is None else due_at
    entry = {
        "kind": kind,
        "target": target,
        "line": f"{target}/{(request_id or '') if in_order else event_id}",
        "event_id": event_id,
        "event": event,
        "request_id": request_id,
        "seq": seq,
        "body": body,
        "created_at": tx.now,
        "state": "waiting",
        "due_at": due,
        "attempts": 0,
        "fence": 0,
    }
    row = int(tx.connection.execute(_insert, entry).scalar_one())
    tx.notices.append(Notice(0, "", target, due))
    return row
