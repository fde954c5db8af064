"""What came of the messages about a request, for its agent: facts, and words about who was not told."""

from __future__ import annotations

import json

from sqlalchemy import bindparam, select

from hitl_mcp.service.notify.people import MESSAGE
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import deliveries

_of_request = (
    select(deliveries.c.state, deliveries.c.body, deliveries.c.attempts, deliveries.c.fault)
    .where(deliveries.c.request_id == bindparam("request_id"), deliveries.c.kind == MESSAGE)
    .order_by(deliveries.c.id)
)
QUIET = "quiet hours; the message waits until they end"


def of_request(tx: Tx, request_id: str) -> dict[str, tuple[bool, str | None]]:
    """By person: whether a message has arrived over any channel, and if not, what stands in its way."""
    arrived: set[str] = set()
    faults: dict[str, str | None] = {}
    for row in tx.connection.execute(_of_request, {"request_id": request_id}):
        told = json.loads(row.body)
        who = str(told["user_id"])
        if row.state == "done":
            arrived.add(who)
        elif row.state == "failed" or row.attempts:
            faults[who] = row.fault or "the message was not taken"
        else:
            faults.setdefault(who, QUIET if told["quiet"] and row.state == "waiting" else None)
    return {who: (who in arrived, None if who in arrived else faults[who]) for who in arrived | set(faults)}


def untold(told: int, reached: int, *, has_channels: bool) -> str:
    """For an agent: that not everybody whom its request reached is told of it now."""
    if not has_channels:
        return "Nobody was notified: no reviewer of this loop has a channel; they see it when they open the inbox"
    why = "the others have no channel, want no requests of this priority, or are in quiet hours"
    if told == 0:
        return "Nobody is notified now: its reviewers want no requests of this priority, or are in quiet hours"
    return f"{told} of {reached} reviewers are notified; {why}"
