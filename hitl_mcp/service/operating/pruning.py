"""Pruning: what was sent, and every attempt at it, is kept for some days after it was over.

What waits stays, and so does who was told of a request, which is shown with it; retention removes that.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sqlalchemy import and_, bindparam, delete, or_, select

from hitl_mcp.service.notify.people import MESSAGE
from hitl_mcp.service.store import Store
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import attempts, deliveries

KEPT_DAYS = 30
DAY_MS = 86_400_000
BATCH = 500
"""A batch is one transaction; others write between two."""

_over = and_(
    deliveries.c.state != "waiting",
    deliveries.c.done_at < bindparam("before"),
    or_(deliveries.c.kind != MESSAGE, deliveries.c.request_id.is_(None)),
)
_candidates = select(deliveries.c.id).where(_over).order_by(deliveries.c.id).limit(BATCH)
_of_batch = deliveries.c.id.in_(bindparam("ids", expanding=True))
_still = select(deliveries.c.id).where(_of_batch, _over).with_for_update()


async def prune(store: Store) -> int:
    """Remove what is old, batch by batch; returns how many deliveries. Raises: ServiceFault."""
    done = 0
    while batch := await store.scan(_read):
        removed = await store.write(partial(_remove, batch=batch))
        if not removed:  # all of them are sent again meanwhile
            break
        done += removed
    return done


def _before(tx: Tx) -> dict[str, int]:
    return {"before": tx.now - KEPT_DAYS * DAY_MS}


def _read(tx: Tx) -> Sequence[int]:
    return tx.connection.execute(_candidates, _before(tx)).scalars().all()


def _remove(tx: Tx, batch: Sequence[int]) -> int:
    ids = tx.connection.execute(_still, _before(tx) | {"ids": list(batch)}).scalars().all()
    if ids:
        tx.connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(ids)))
        tx.connection.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))
    return len(ids)
