"""What the database says about all of a service's work, in numbers only: the same whichever process is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, case, func, select

from hitl_mcp.service.operating.measures import DECISION_MS, IS_ANSWERED, OUTCOME
from hitl_mcp.service.rows import IS_OPEN
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import attempts, channels, deliveries, endpoints, events, requests

BUCKETS = (60, 300, 900, 3_600, 14_400, 86_400, 604_800)
"""Seconds until a decision: the response times by priority (15 minutes to a day) are among them."""

Row = Mapping[str, Any]

_many = func.count().label("count")
_ms = func.sum(DECISION_MS).label("ms")
_created = select(requests.c.priority, _many).group_by(requests.c.priority)
_closed = (
    select(requests.c.priority, OUTCOME.label("outcome"), requests.c.response_channel.label("channel"), _many)
    .where(~IS_OPEN)
    .group_by(requests.c.priority, "outcome", requests.c.response_channel)
)
_waiting = (
    select(requests.c.priority, _many, func.min(requests.c.created_at).label("oldest"))
    .where(IS_OPEN)
    .group_by(requests.c.priority)
)
_within = [func.sum(case((seconds * 1000 >= DECISION_MS, 1), else_=0)).label(f"le_{seconds}") for seconds in BUCKETS]
_decided = select(requests.c.priority, _many, _ms, *_within).where(IS_ANSWERED).group_by(requests.c.priority)
_deliveries = select(
    deliveries.c.kind,
    deliveries.c.state,
    _many,
    func.min(case((deliveries.c.state == "waiting", deliveries.c.created_at))).label("oldest"),
).group_by(deliveries.c.kind, deliveries.c.state)
_attempts = (
    select(deliveries.c.kind, _many)
    .join_from(attempts, deliveries, deliveries.c.id == attempts.c.delivery_id)
    .group_by(deliveries.c.kind)
)
_endpoints = select(endpoints.c.enabled, _many).group_by(endpoints.c.enabled)
_channels = select(channels.c.kind, _many).where(channels.c.failed_at.is_not(None)).group_by(channels.c.kind)
_escalated = select(func.count()).select_from(events).where(events.c.type == "escalated")


@dataclass(frozen=True, slots=True)
class Totals:
    """One look at everything, by bounded properties."""

    at: int
    created: Sequence[Row]
    closed: Sequence[Row]
    waiting: Sequence[Row]
    decided: Sequence[Row]
    deliveries: Sequence[Row]
    attempts: Sequence[Row]
    endpoints: Sequence[Row]
    failing_channels: Sequence[Row]
    escalated: int


def totals(tx: Tx) -> Totals:
    """Look."""

    def rows(query: Select[*tuple[Any, ...]]) -> Sequence[Row]:
        return [dict(row) for row in tx.connection.execute(query).mappings()]

    return Totals(
        tx.now, rows(_created), rows(_closed), rows(_waiting), rows(_decided), rows(_deliveries), rows(_attempts),
        rows(_endpoints), rows(_channels), int(tx.connection.execute(_escalated).scalar_one()),
    )  # fmt: skip
