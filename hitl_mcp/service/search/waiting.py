"""What waits for a person, what needs attention first on top.

The order: what is assigned to this person; then what is critical or closes within a quarter of an hour; then what is
overdue, the higher priority first; then by when an answer is wanted; at the end what somebody else has claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.service import rows
from hitl_mcp.service.actors import Person
from hitl_mcp.service.clock import moment
from hitl_mcp.service.lifecycle.guards import NOT_HELD
from hitl_mcp.service.membership import IN_MY_LOOP
from hitl_mcp.service.search.matching import ME, NOW, PAGE, WANTED_BY, is_kind, says
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import requests

CLOSING_MS = 15 * 60_000

_open = and_(rows.IS_OPEN, requests.c.timeout_at > NOW, NOT_HELD)
_claimed = and_(requests.c.status == "claimed", requests.c.claim_expires_at > NOW)
_elsewhere = and_(_claimed, requests.c.claimed_by != ME)
_is_mine = or_(requests.c.assigned_to == ME, and_(_claimed, requests.c.claimed_by == ME))
_is_overdue = WANTED_BY <= NOW
_attention = case(
    (_elsewhere, 3),
    (or_(requests.c.priority == "critical", requests.c.timeout_at <= NOW + CLOSING_MS), 0),
    (_is_overdue, 1),
    else_=2,
)
_ORDER = (
    case((and_(requests.c.assigned_to == ME, ~_elsewhere), 0), else_=1),
    _attention,
    case((_attention == 1, rows.PRIORITY_RANK), else_=0),
    WANTED_BY,
    requests.c.id,
)
WHO: dict[str, ColumnElement[bool]] = {
    "me": _is_mine,
    "assigned": requests.c.assigned_to == ME,
    "claimed": _claimed,
    "free": and_(~_claimed, or_(requests.c.assigned_to.is_(None), requests.c.assigned_to == ME)),
}
"""Whose a request is: assigned to or claimed by this person; assigned; claimed by anybody; nobody else's."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What the list of waiting requests is narrowed to; empty: everything."""

    loop_id: str = ""
    priority: str = ""
    kind: str = ""
    who: str = ""
    overdue: bool = False
    search: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether it narrows nothing."""
        return self == Filter()

    def conditions(self) -> list[ColumnElement[bool]]:
        """For the `where` of a query over requests."""
        found = says(self.search)
        if self.loop_id:
            found.append(requests.c.loop_id == self.loop_id)
        if self.priority:
            found.append(requests.c.priority == self.priority)
        if self.kind:
            found.append(is_kind(self.kind))
        if self.who:
            found.append(WHO[self.who])
        if self.overdue:
            found.append(_is_overdue)
        return found


@dataclass(frozen=True, slots=True)
class Waiting:
    """One waiting request.

    Attributes:
        wanted_by: when an answer is wanted, by its priority, its own wish or its deadline.
        similar: what it has in common with others, when there are such.
    """

    item: ReviewRequest
    wanted_by: datetime
    similar: str | None


def count(tx: Tx, person: Person, wanted: Filter) -> int:
    """How many match."""
    query = select(func.count()).select_from(requests).where(_open, IN_MY_LOOP, *wanted.conditions())
    return tx.connection.execute(query, {"now": tx.now, "user_id": person.user_id}).scalar_one()


def listed(tx: Tx, person: Person, wanted: Filter, page: int = 1, most: int = PAGE) -> list[Waiting]:
    """One page of what matches.

    Args:
        page: from 1.
        most: how many are on one.
    """
    query = (
        select(requests.c.id, WANTED_BY.label("wanted_by"))
        .where(_open, IN_MY_LOOP, *wanted.conditions())
        .order_by(*_ORDER)
        .limit(most)
        .offset(most * (page - 1))
    )
    found = tx.connection.execute(query, {"now": tx.now, "user_id": person.user_id}).all()
    return _waiting(tx, [(row.id, row.wanted_by) for row in found])


def alike(tx: Tx, person: Person, digest: str, most: int) -> list[Waiting]:
    """The open requests that differ only in details, in the order of the list."""
    query = (
        select(requests.c.id, WANTED_BY.label("wanted_by"))
        .where(_open, IN_MY_LOOP, requests.c.similar == digest)
        .order_by(*_ORDER)
        .limit(most)
    )
    found = tx.connection.execute(query, {"now": tx.now, "user_id": person.user_id}).all()
    return _waiting(tx, [(row.id, row.wanted_by) for row in found])


def sizes(tx: Tx, person: Person, digests: list[str]) -> dict[str, int]:
    """How many open requests there are of each kind of similar ones."""
    if not digests:
        return {}
    query = (
        select(requests.c.similar, func.count())
        .where(_open, IN_MY_LOOP, requests.c.similar.in_(digests))
        .group_by(requests.c.similar)
    )
    found = tx.connection.execute(query, {"now": tx.now, "user_id": person.user_id})
    return {str(digest): int(many) for digest, many in found}


def _waiting(tx: Tx, found: list[tuple[str, int]]) -> list[Waiting]:
    by_id = rows.by_ids(tx, [request_id for request_id, _ in found])
    return [_one(by_id[request_id], wanted_by, tx.now) for request_id, wanted_by in found]


def _one(row: rows.Columns, wanted_by: int, now: int) -> Waiting:
    return Waiting(rows.view(row, now), moment(wanted_by), row["similar"])
