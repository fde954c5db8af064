"""A reminder before the deadline: once, to who has taken the request, else to all who answer for its loop."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select, update

from hitl_mcp.contract.states import Priority
from hitl_mcp.service import rows
from hitl_mcp.service.notify import people
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import requests

SHORTEST_MS = 10 * 60_000
"""Whoever has less time is told of the request itself a moment before."""
EARLIEST_MS = 24 * 3_600_000
"""A reminder comes at most so long before the end."""
LATEST_MS = 60_000
"""It comes at least so long before the end."""
_GONE_PERCENT = {Priority.CRITICAL: 50, Priority.HIGH: 60}
_USUALLY_GONE_PERCENT = 75
_BATCH = 100

_due = select(requests.c.id).where(requests.c.remind_at <= bindparam("now")).limit(_BATCH)
_nearest = select(requests.c.remind_at).where(requests.c.remind_at.is_not(None)).order_by(requests.c.remind_at).limit(1)
_remind = (
    update(requests)
    .where(requests.c.id == bindparam("request_id"), requests.c.remind_at <= bindparam("now"))
    .values(remind_at=None)
    .returning(
        requests.c.loop_id, requests.c.status, requests.c.timeout_at, requests.c.claimed_by,
        requests.c.claim_expires_at, requests.c.held_until,
    )
)  # fmt: skip


def remind_at(now: int, timeout_at: int, priority: Priority) -> int | None:
    """When to remind of a request asked now, in milliseconds since 1970; None where there is no time for it."""
    whole = timeout_at - now
    if whole <= SHORTEST_MS:
        return None
    gone = whole * _GONE_PERCENT.get(priority, _USUALLY_GONE_PERCENT) // 100
    return min(max(now + gone, timeout_at - EARLIEST_MS), timeout_at - LATEST_MS)


def nearest_reminder(tx: Tx) -> int | None:
    """When the next is due, in milliseconds since 1970."""
    return tx.connection.execute(_nearest).scalar()


def remind_due(tx: Tx) -> int:
    """Remind of up to 100 requests; returns how many were looked at. Any number of processes may try."""
    due = tx.connection.execute(_due, {"now": tx.now}).scalars().all()
    for request_id in due:
        found: Any = tx.connection.execute(_remind, {"request_id": request_id, "now": tx.now}).first()
        if found is None or found.held_until is not None or not rows.is_open(rows.columns(found), tx.now):
            continue
        claimed = found.claimed_by is not None and found.claim_expires_at > tx.now
        only: list[str] | None = [str(found.claimed_by)] if claimed else None
        people.tell(tx, request_id, found.loop_id, "reminder", only)
    return len(due)
