"""What was sent, with every attempt; and sending it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, select, update

from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.webhooks import TEST_EVENT, Attempt, Delivered, Redelivery
from hitl_mcp.errors import BadRequest, NotFound
from hitl_mcp.service.clock import milliseconds, moment
from hitl_mcp.service.outbox import queue
from hitl_mcp.service.store.base import Notice, Tx
from hitl_mcp.service.store.tables import attempts, deliveries
from hitl_mcp.service.webhooks import body
from hitl_mcp.service.webhooks.fan_out import KIND

MOST_AGAIN = 10_000
"""Deliveries that are sent again at once."""


def of_endpoint(tx: Tx, endpoint_id: str, limit: int, before: int | None = None) -> list[Delivered]:
    """The newest deliveries to an endpoint.

    Args:
        before: only those made before this one.
    """
    where = and_(deliveries.c.target == endpoint_id, deliveries.c.kind == KIND)
    return _listed(tx, where if before is None else and_(where, deliveries.c.id < before), limit)


def of_callbacks(tx: Tx, api_key_ids: Sequence[str], limit: int) -> list[Delivered]:
    """The newest deliveries to the callbacks of some keys."""
    if not api_key_ids:
        return []
    # a range, not LIKE, so that the index serves it; "A" is the letter after "@"
    ranges = [and_(deliveries.c.target >= f"{one}@", deliveries.c.target < f"{one}A") for one in api_key_ids]
    found: list[Delivered] = []
    for one in ranges:
        found += _listed(tx, one, limit)
    return sorted(found, key=lambda item: item.id, reverse=True)[:limit]


def of_request(tx: Tx, request_id: str, limit: int) -> list[Delivered]:
    """The deliveries to the `callback_url` of one request."""
    where = and_(deliveries.c.request_id == request_id, deliveries.c.kind == KIND, deliveries.c.target.contains("@"))
    return _listed(tx, where, limit)


def one(tx: Tx, endpoint_id: str, delivery_id: int) -> Delivered:
    """One delivery of an endpoint. Raises: NotFound."""
    found = _listed(tx, and_(deliveries.c.target == endpoint_id, deliveries.c.id == delivery_id), 1)
    if not found:
        raise NotFound("Delivery not found")
    return found[0]


def _listed(tx: Tx, where: ColumnElement[bool], limit: int) -> list[Delivered]:
    rows = tx.connection.execute(select(deliveries).where(where).order_by(deliveries.c.id.desc()).limit(limit)).all()
    tried: dict[int, list[Attempt]] = {row.id: [] for row in rows}
    known = select(attempts).where(attempts.c.delivery_id.in_(list(tried))).order_by(attempts.c.id)
    for row in tx.connection.execute(known) if tried else ():
        tried[row.delivery_id].append(
            Attempt(at=moment(row.at), milliseconds=row.milliseconds, status=row.status, excerpt=row.excerpt)
        )
    return [_shown(row, tried[row.id]) for row in rows]


def _shown(row: Any, tried: list[Attempt]) -> Delivered:
    return Delivered(
        id=row.id, event_id=row.event_id, event=row.event, request_id=row.request_id, seq=row.seq, state=row.state,
        created_at=moment(row.created_at), next_at=moment(row.due_at) if row.state == "waiting" else None,
        attempts=tried,
    )  # fmt: skip


def send_again(tx: Tx, endpoint_id: str, wanted: Redelivery) -> int:
    """Send one delivery, or all since a time, again, under the same event ids and in their order; returns how many.

    Raises: NotFound, BadRequest.
    """
    mine = and_(deliveries.c.target == endpoint_id, deliveries.c.kind == KIND, deliveries.c.event != TEST_EVENT)
    if wanted.delivery_id is not None:
        mine = and_(mine, deliveries.c.id == wanted.delivery_id)
    elif wanted.since is not None:
        mine = and_(mine, deliveries.c.created_at >= _counted(wanted.since))
    found = tx.connection.execute(select(deliveries.c.id).where(mine).limit(MOST_AGAIN + 1)).scalars().all()
    if not found and wanted.delivery_id is not None:
        raise NotFound("Delivery not found")
    if len(found) > MOST_AGAIN:
        raise BadRequest("Too many deliveries", f"more than {MOST_AGAIN} since then; choose a later time")
    tx.connection.execute(
        update(deliveries)
        .where(mine)
        .values(
            state="waiting", due_at=tx.now, attempts=0, lease_until=None, done_at=None, fault=None,
            fence=deliveries.c.fence + 1,
        )
    )  # fmt: skip
    tx.notices.append(Notice(0, "", endpoint_id, tx.now))
    return len(found)


def _counted(at: datetime) -> int:
    return max(0, milliseconds(at))


def test(tx: Tx, endpoint_id: str) -> int:
    """Send something that only tries the address; returns its delivery."""
    event_id = f"evt_test_{new_id()}"
    text = body.of_test(TEST_EVENT, event_id, tx.now)
    return queue.put(tx, kind=KIND, target=endpoint_id, event_id=event_id, event=TEST_EVENT, body=text, in_order=False)
