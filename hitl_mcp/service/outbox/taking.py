"""What a courier asks of the queue's table, and writes into it: which rows are due, whose they are, what came of them.

Rows are taken by a lease. `fence` rises with each lease, and whoever writes with an older one changes nothing (H29).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Row, bindparam, exists, func, insert, literal_column, or_, select, tuple_, update

from hitl_mcp.backoff import drawn
from hitl_mcp.service.outbox.base import Delivery, Outcome
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import attempts, deliveries

LEASE_MS = 60_000
"""Longer than any attempt lasts; after kill -9 another process takes the row this much later."""
MAX_REST_SECONDS = 86_400.0
"""A receiver that asks for more with `Retry-After` is tried again all the same."""
MAX_FAULT = 500
MAX_EXCERPT = 1_000
JITTER = 0.1

WAITING = deliveries.c.state == literal_column("'waiting'")
"""In a literal, so that the partial indexes serve it."""
_earlier = deliveries.alias("earlier")
_free = or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until <= bindparam("now"))
_first_of_its_line = ~exists().where(
    _earlier.c.line == deliveries.c.line,
    _earlier.c.id < deliveries.c.id,
    _earlier.c.state == literal_column("'waiting'"),
)
_of_kind = deliveries.c.kind.in_(bindparam("kinds", expanding=True))
_of_target = (deliveries.c.target == bindparam("of"), WAITING, _of_kind)
_all_targets = (
    select(deliveries.c.target, func.min(deliveries.c.due_at).label("due"))
    .where(WAITING, _of_kind)
    .group_by(deliveries.c.target)
)
_heads = (
    select(deliveries)
    .where(*_of_target, deliveries.c.due_at <= bindparam("now"), _free, _first_of_its_line)
    .order_by(deliveries.c.due_at, deliveries.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=deliveries)
)
_any_due = (
    select(deliveries.c.id).where(WAITING, deliveries.c.due_at <= bindparam("before"), _first_of_its_line).limit(1)
)
_later = select(func.min(deliveries.c.due_at)).where(*_of_target, deliveries.c.due_at > bindparam("now"))
_lease = (
    update(deliveries)
    .where(deliveries.c.id.in_(bindparam("ids", expanding=True)))
    .values(lease_until=bindparam("until"), fence=deliveries.c.fence + 1)
)
_skipped = select(func.count()).where(
    _earlier.c.line == bindparam("of_line"), _earlier.c.id < bindparam("before"), _earlier.c.state == "failed"
)
_mine = tuple_(deliveries.c.id, deliveries.c.fence)
_attempt = insert(attempts)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that has ended.

    Attributes:
        at: when it began, in milliseconds since 1970.
        schedule: seconds before each attempt.
    """

    delivery: Delivery
    outcome: Outcome
    at: int
    milliseconds: int
    schedule: Sequence[float]


def any_due(tx: Tx, before: int) -> bool:
    """Whether anything is to be sent, or sent again, before a time.

    Args:
        before: in milliseconds since 1970. What stands behind another of its line is sent after that one.
    """
    return tx.connection.execute(_any_due, {"before": before}).first() is not None


def due_by_target(tx: Tx, kinds: Sequence[str]) -> dict[str, int]:
    """For each target that something of these kinds waits for, when the first of it is due."""
    return {row.target: row.due for row in tx.connection.execute(_all_targets, {"kinds": kinds})}


@dataclass(frozen=True, slots=True)
class Taken:
    """What a courier has got.

    Attributes:
        deliveries: leased to it.
        next_due: for each target asked for, when to ask again; none where nothing else waits.
    """

    deliveries: list[Delivery]
    next_due: dict[str, int | None]


def take(tx: Tx, kinds: Sequence[str], wanted: dict[str, int]) -> Taken:
    """Lease what is due: of each line only its first undone row.

    Args:
        kinds: of these only.
        wanted: for each target, how many at most.
    """
    found: list[Row[tuple[object, ...]]] = []
    next_due: dict[str, int | None] = {}
    for target, most in wanted.items():
        asked = {"of": target, "now": tx.now, "kinds": kinds}
        rows = tx.connection.execute(_heads, asked | {"most": most}).all()
        found += rows
        if len(rows) == most:
            next_due[target] = tx.now
        else:
            next_due[target] = tx.connection.execute(_later, asked).scalar()
    if found:
        until = tx.now + LEASE_MS
        tx.connection.execute(_lease, {"ids": [row.id for row in found], "until": until})
    return Taken([_delivery(tx, row) for row in found], next_due)


def _delivery(tx: Tx, row: Row[tuple[object, ...]]) -> Delivery:
    skipped = 0
    if row.request_id is not None and row.seq is not None and row.seq > 1:
        skipped = tx.connection.execute(_skipped, {"of_line": row.line, "before": row.id}).scalar_one()
    return Delivery(
        id=row.id, kind=row.kind, target=row.target, event_id=row.event_id, event=row.event, request_id=row.request_id,
        seq=row.seq, body=row.body, created_at=row.created_at, attempts=row.attempts, fence=row.fence + 1,
        line=row.line, skipped=skipped,
    )  # fmt: skip


def write_results(tx: Tx, ended: Sequence[Attempt], settled: Callable[[Tx, Attempt, bool], None]) -> dict[str, int]:
    """Record attempts and what they mean for their rows; returns when each target is to be looked at again.

    Args:
        settled: called for each attempt whose lease still held, with whether the delivery was given up.
    """
    if not ended:
        return {}
    tx.connection.execute(
        _attempt,
        [
            {
                "delivery_id": one.delivery.id,
                "at": one.at,
                "milliseconds": one.milliseconds,
                "status": one.outcome.status,
                "excerpt": one.outcome.excerpt[:MAX_EXCERPT],
            }
            for one in ended
        ],
    )
    again: dict[str, int] = {one.delivery.target: tx.now for one in ended}
    delivered = [one for one in ended if one.outcome.delivered]
    held = _finish(tx, delivered)
    for one in delivered:
        if one.delivery.id in held:
            settled(tx, one, False)
    for one in ended:
        if not one.outcome.delivered:
            _failed(tx, one, settled)
    return again


def _finish(tx: Tx, delivered: Iterable[Attempt]) -> set[int]:
    mine = [(one.delivery.id, one.delivery.fence) for one in delivered]
    if not mine:
        return set()
    done = (
        update(deliveries)
        .where(_mine.in_(mine), WAITING)
        .values(
            state="done", done_at=tx.now, due_at=None, lease_until=None, fault=None, attempts=deliveries.c.attempts + 1
        )
        .returning(deliveries.c.id)
    )
    return set(tx.connection.execute(done).scalars())


def _failed(tx: Tx, one: Attempt, settled: Callable[[Tx, Attempt, bool], None]) -> None:
    due = retry_at(one, tx.now)
    given_up = "dropped" if one.outcome.dropped else "failed"
    change: dict[str, object] = {"state": given_up, "done_at": tx.now, "due_at": None}
    if due is not None:
        change = {"due_at": due}
    statement = (
        update(deliveries)
        .where(deliveries.c.id == one.delivery.id, deliveries.c.fence == one.delivery.fence, WAITING)
        .values(**change, lease_until=None, fault=one.outcome.excerpt[:MAX_FAULT], attempts=deliveries.c.attempts + 1)
        .returning(deliveries.c.id)
    )
    if tx.connection.execute(statement).first() is None:
        return
    if due is not None:
        # what comes after it in its line cannot be sent before it, so it need not be looked at before
        behind = deliveries.c.line == one.delivery.line, WAITING, deliveries.c.due_at < due
        tx.connection.execute(update(deliveries).where(*behind).values(due_at=due))
    else:
        behind = deliveries.c.line == one.delivery.line, WAITING, deliveries.c.attempts == 0
        tx.connection.execute(update(deliveries).where(*behind).values(due_at=tx.now))
    settled(tx, one, due is None)


Writes = Callable[[Tx], None]
"""A unit that only writes."""


def retry_at(one: Attempt, now: int) -> int | None:
    """When to try again, in milliseconds since 1970; None when it is given up."""
    tried = one.delivery.attempts + 1
    if not one.outcome.again or tried >= len(one.schedule):
        return None
    pause = one.schedule[tried] * drawn(1 - JITTER, 1 + JITTER)
    return now + int(1000 * max(pause, min(one.outcome.after_seconds or 0, MAX_REST_SECONDS)))


def release(tx: Tx, held: Sequence[Delivery]) -> None:
    """Give leases back without an attempt."""
    mine = [(one.id, one.fence) for one in held]
    tx.connection.execute(update(deliveries).where(_mine.in_(mine), WAITING).values(lease_until=None))


def release_all(tx: Tx) -> None:
    """Give every lease back; only for who is alone on the database."""
    tx.connection.execute(
        update(deliveries).where(WAITING, deliveries.c.lease_until.is_not(None)).values(lease_until=None)
    )
