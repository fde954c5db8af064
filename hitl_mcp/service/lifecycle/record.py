"""The append-only event log with a hash chain per request (D6, H24).

How hashes are made stands in `contract/chain.py`. A chain detects accidents and partial edits; a rewrite of everything
by whoever owns the file is detected by the anchors that are kept outside the database (`operating/anchors.py`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, func, insert, select

from hitl_mcp.contract.chain import FIRST, chain_hash, data_hash
from hitl_mcp.contract.text import canonical
from hitl_mcp.errors import BadRequest
from hitl_mcp.service.store.base import Notice, Tx
from hitl_mcp.service.store.tables import events
from hitl_mcp.service.webhooks import fan_out

REVISING = ("changed", "answered_back", "escalated")
"""Entries that make a new revision. Their data holds `revision`, and `before` and `after` of what became different."""

MOST_CHANGES = 1_000
MOST_CHANGED = 8 * 1_048_576
"""Characters that the entries of one request's changes may have before it is changed once more."""

_changed = select(func.count(), func.coalesce(func.sum(func.length(events.c.data)), 0)).where(
    events.c.request_id == bindparam("request_id"), events.c.type.in_(REVISING)
)
_insert = insert(events).returning(events.c.position, fan_out.WANTED)
_head = select(events.c.hash).where(events.c.request_id == bindparam("request_id"), events.c.seq == bindparam("seq"))


def check_room(tx: Tx, request_id: str) -> None:
    """Every reader of a request reads its whole log, so nobody makes one without end.

    Raises: BadRequest when a request was changed as often, or as much, as one may be.
    """
    changes, length = tx.connection.execute(_changed, {"request_id": request_id}).one()
    if changes >= MOST_CHANGES or length >= MOST_CHANGED:
        raise BadRequest(
            "Request cannot be changed again",
            f"its changes are {changes}, with {length} characters. Withdraw it, and ask a new one",
        )


def note(tx: Tx, request_id: str, seq: int, kind: str, actor: str, data: dict[str, Any]) -> None:
    """Append one entry, announce it, and have those told who subscribed.

    Args:
        seq: taken from the request's row by the guarded update of the same transaction, so that two writers can never
            claim the same place.
        kind: `created`, `changed`, `claimed`, `released`, `completed`, `timeout`, `cancelled`, `delivered`, `feedback`;
            `reassigned` (to a member, or back to nobody), `asked` (a reviewer asked the agent something) and
            `answered_back` (the agent's answer), `escalated` (a step on the loop's ladder).
    """
    if seq == 1:
        previous = FIRST
    else:
        previous = tx.connection.execute(_head, {"request_id": request_id, "seq": seq - 1}).scalar_one()
    text = canonical(data)
    of_data = data_hash(text)
    entry = {
        "request_id": request_id,
        "seq": seq,
        "type": kind,
        "actor": actor,
        "at": tx.now,
        "data": text,
        "data_hash": of_data,
        "previous_hash": previous,
        "hash": chain_hash(previous, request_id, seq, kind, actor, tx.now, of_data),
    }
    position, wanted = tx.connection.execute(_insert, entry).one()
    tx.notices.append(Notice(position, request_id))
    if wanted:
        fan_out.of_request(tx, request_id, seq, kind, data)
