"""Facts that tell whether a service is ready to be relied on; `hitl-mcp doctor --production` judges them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, case, exists, func, insert, select, update

from hitl_mcp.contract.operating import LoopReadiness, Production
from hitl_mcp.contract.teams import Scope
from hitl_mcp.service.membership import MAY_ANSWER
from hitl_mcp.service.operating.daily import DAY_MS, Daily
from hitl_mcp.service.operating.figures import median_seconds
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import (
    anchors,
    api_keys,
    channels,
    deliveries,
    endpoints,
    facts,
    loops,
    members,
    once_keys,
    requests,
)

LOOKED_BACK_DAYS = 30
_BACKED_UP = "backed_up"

_active = and_(members.c.loop_id == loops.c.id, members.c.status == "active")
_reviewers = and_(_active, MAY_ANSWER)
_has_answered = exists().where(requests.c.loop_id == loops.c.id, requests.c.response_by == members.c.user_id)
_loops = (
    select(
        loops.c.name,
        loops.c.guidelines,
        loops.c.ladder,
        select(func.count()).where(_reviewers).scalar_subquery().label("reviewers"),
        select(func.count()).where(_reviewers, _has_answered).scalar_subquery().label("tried"),
    )
    .where(loops.c.archived_at.is_(None))
    .order_by(loops.c.created_at, loops.c.id)
)
_people = select(members.c.user_id).where(members.c.status == "active").distinct().subquery()
_reached = exists().where(channels.c.user_id == _people.c.user_id, channels.c.enabled == 1)


def production(tx: Tx, daily: Daily) -> Production:
    """Look."""
    since = tx.now - LOOKED_BACK_DAYS * DAY_MS

    def number(query: Select[*tuple[Any, ...]]) -> int:
        return int(tx.connection.execute(query).scalar_one() or 0)

    def count(table: Any, *conditions: Any) -> int:
        return number(select(func.count()).select_from(table).where(*conditions))

    lately = requests.c.created_at >= since
    return Production(
        loops=[
            LoopReadiness(
                name=row.name, reviewers=row.reviewers, tried=row.tried, guidelines=bool(row.guidelines),
                ladder=bool(row.ladder),
            )
            for row in tx.connection.execute(_loops)
        ],
        endpoints=count(endpoints, endpoints.c.enabled == 1),
        disabled_endpoints=count(endpoints, endpoints.c.enabled == 0),
        callbacks=count(requests, lately, requests.c.callback_url.is_not(None)),
        timeouts=count(requests, requests.c.status == "timeout"),
        asked=count(requests, lately),
        repeatable=count(once_keys.join(requests, requests.c.id == once_keys.c.request_id), lately),
        median_seconds=median_seconds(tx, since),
        people=count(_people),
        told=number(select(func.sum(case((_reached, 1), else_=0))).select_from(_people)),
        failing_channels=count(channels, channels.c.enabled == 1, channels.c.failed_at.is_not(None)),
        failed_deliveries=count(deliveries, deliveries.c.state == "failed", deliveries.c.created_at >= since),
        metrics_keys=count(
            api_keys, api_keys.c.revoked_at.is_(None), api_keys.c.scopes.contains(f'"{Scope.METRICS_READ.value}"')
        ),
        retention_days=None if daily.retention is None else daily.retention.days,
        anchored_at=tx.connection.execute(select(func.max(anchors.c.at))).scalar(),
        anchors_outside=daily.anchors_outside,
        backed_up_at=_backed_up_at(tx),
        now=tx.now,
    )  # fmt: skip


def note_backup(tx: Tx) -> None:
    """Remember that a copy was made and checked just now."""
    changed = update(facts).where(facts.c.name == _BACKED_UP).values(value=str(tx.now))
    if tx.connection.execute(changed).rowcount == 0:
        tx.connection.execute(insert(facts), {"name": _BACKED_UP, "value": str(tx.now)})


def _backed_up_at(tx: Tx) -> int | None:
    found = tx.connection.execute(select(facts.c.value).where(facts.c.name == _BACKED_UP)).scalar()
    return None if found is None else int(found)
