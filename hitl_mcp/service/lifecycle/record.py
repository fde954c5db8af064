"""The append-only event log with a hash chain per request (D6, H24).

How hashes are made stands in `contract/chain.py`. A chain detects accidents and partial edits; a rewrite of everything
by whoever owns the file is detected by the anchors that are kept outside the database (`operating/anchors.py`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, insert, select

from hitl_mcp.contract.chain import FIRST, chain_hash, data_hash
from hitl_mcp.contract.text import canonical
from hitl_mcp.service.store.base import Notice, Tx
from hitl_mcp.service.store.tables import events
from hitl_mcp.service.webhooks import fan_out

REVISING = ("changed", "answered_back", "escalated")
"""Entries that make a new revision. Their data holds `revision`, and `before` and `after` of what became different."""

_insert = insert(events).returning(events.c.position, fan_out.WANTED)
_head = select(events.c.hash).where(events.c.request_id == bindparam("request_id"), events.c.seq == bindparam("seq"))


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
