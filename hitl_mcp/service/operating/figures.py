"""What a team lead looks at: how much was asked and decided, how fast, by whom, and what went wrong.

Only the given loops are counted, and only numbers and names leave here. Days are days of UTC.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select

from hitl_mcp.contract.figures import Day, Figures, Share, Waiting
from hitl_mcp.service.clock import moment
from hitl_mcp.service.operating.measures import CLOSED_AT, DECISION_MS, IS_ANSWERED, OUTCOME
from hitl_mcp.service.rows import IS_OPEN
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import deliveries, events, loops, requests, users

DAY_MS = 86_400_000
AGES = (900, 3_600, 14_400, 86_400)
"""Up to how many seconds something has waited: the response times by priority. What is older stands behind them."""
MOST = 50
"""Loops and reviewers that are listed."""

_many = func.count().label("many")
_closed_day = (CLOSED_AT // DAY_MS).label("day")  # grouped by its name: a repeated parameter is another expression


def figures(tx: Tx, loop_ids: Collection[str], days: int) -> Figures:
    """Count.

    Args:
        loop_ids: the loops that count.
        days: how many, today among them.
    """
    ours, today = requests.c.loop_id.in_(sorted(loop_ids)), tx.now // DAY_MS
    since = (today - days + 1) * DAY_MS
    closed = and_(ours, ~IS_OPEN, since <= CLOSED_AT)
    answered = and_(ours, IS_ANSWERED, requests.c.response_at >= since)
    whole = _spans(tx, answered, None)
    return Figures(
        days=days,
        per_day=_per_day(tx, ours, closed, answered, since, today),
        median_seconds=whole[None][0] if whole else None,
        p95_seconds=whole[None][1] if whole else None,
        waiting=_waiting(tx, ours),
        escalations=_number(
            tx,
            select(func.count())
            .select_from(events.join(requests, requests.c.id == events.c.request_id))
            .where(ours, events.c.type == "escalated", events.c.at >= since),
        ),
        failed_deliveries=_number(
            tx,
            select(func.count())
            .select_from(deliveries.join(requests, requests.c.id == deliveries.c.request_id))
            .where(ours, deliveries.c.state == "failed", deliveries.c.created_at >= since),
        ),
        by_loop=_shares(tx, requests.c.loop_id, loops.c, closed, answered),
        by_reviewer=_shares(tx, requests.c.response_by, users.c, answered, answered),
    )


def median_seconds(tx: Tx, since: int) -> float | None:
    """How long half of all answers since a moment (milliseconds since 1970) took at most; None without any."""
    found = _spans(tx, and_(IS_ANSWERED, requests.c.response_at >= since), None)
    return found[None][0] if found else None


def _number(tx: Tx, query: Select[*tuple[Any, ...]]) -> int:
    return int(tx.connection.execute(query).scalar_one())


def _per_day(tx: Tx, ours: Any, closed: Any, answered: Any, since: int, today: int) -> list[Day]:
    known = {day: Day(date=moment(day * DAY_MS).date()) for day in range(since // DAY_MS, today + 1)}
    asked = (requests.c.created_at // DAY_MS).label("day")
    for row in tx.connection.execute(select(asked, _many).where(ours, requests.c.created_at >= since).group_by("day")):
        if row.day in known:  # a clock that was set back has days to come
            known[row.day].created = row.many
    outcome = OUTCOME.label("outcome")
    query = select(_closed_day, outcome, _many).where(closed).group_by("day", "outcome")
    for row in tx.connection.execute(query):
        if row.day in known:
            setattr(known[row.day], row.outcome, row.many)
    for day, (median, p95) in _spans(tx, answered, _closed_day).items():
        if day in known:
            known[day].median_seconds, known[day].p95_seconds = median, p95
    return list(known.values())


def _spans(tx: Tx, answered: Any, of: ColumnElement[Any] | None) -> dict[Any, tuple[float, float]]:
    """Median and 95th percentile of the time to an answer in seconds, each for its group."""
    group = [] if of is None else [of]
    ranked = (
        select(
            *[part.label("of") for part in group],
            DECISION_MS.label("ms"),
            func.row_number().over(partition_by=group or None, order_by=DECISION_MS).label("place"),
            func.count().over(partition_by=group or None).label("n"),
        )
        .where(answered)
        .subquery()
    )
    # the nearest rank: the p-th percentile is the value at place ceil(p * n)
    half, most = (ranked.c.n + 1) // 2, (ranked.c.n * 95 + 99) // 100
    columns = [ranked.c.of] if group else []
    query = select(
        *columns,
        func.max(case((ranked.c.place == half, ranked.c.ms))).label("median"),
        func.max(case((ranked.c.place == most, ranked.c.ms))).label("p95"),
    ).group_by(*columns)
    rows = tx.connection.execute(query).all()
    return {(row.of if group else None): (row.median / 1000, row.p95 / 1000) for row in rows if row.median is not None}


def _waiting(tx: Tx, ours: Any) -> list[Waiting]:
    age = tx.now - requests.c.created_at
    within = case(*((age <= edge * 1000, edge) for edge in AGES), else_=0)
    rows = tx.connection.execute(select(within.label("edge"), _many).where(ours, IS_OPEN).group_by("edge"))
    found = {row.edge: row.many for row in rows}
    return [Waiting(up_to_seconds=edge or None, count=found.get(edge, 0)) for edge in (*AGES, 0)]


def _shares(tx: Tx, of: Any, names: Any, counted: Any, answered: Any) -> list[Share]:
    timeouts = func.sum(case((requests.c.status == "timeout", 1), else_=0)).label("timeouts")
    query = (
        select(of.label("of"), names.name, _many, timeouts)
        .select_from(requests.join(names.id.table, names.id == of))
        .where(counted)
        .group_by(of, names.name)
        .order_by(func.count().desc(), names.name)
        .limit(MOST)
    )
    medians = _spans(tx, answered, of)
    return [
        Share(
            id=row.of, name=row.name, closed=row.many, timeouts=row.timeouts or 0,
            median_seconds=medians[row.of][0] if row.of in medians else None,
        )
        for row in tx.connection.execute(query)
    ]  # fmt: skip
