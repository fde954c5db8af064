"""What was decided, ran out of time or was withdrawn, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.service import rows
from hitl_mcp.service.actors import Person
from hitl_mcp.service.membership import IN_MY_LOOP
from hitl_mcp.service.search.matching import NOW, PAGE, says
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import requests, users

_closed = or_(~rows.IS_OPEN, requests.c.timeout_at <= NOW)
_closed_at = func.coalesce(requests.c.response_at, requests.c.cancelled_at, requests.c.timeout_at)
_completed = requests.c.status == "completed"
_is_approval = requests.c.kind == Kind.APPROVAL.value


def _decided(value: str) -> ColumnElement[bool]:
    return and_(_completed, _is_approval, requests.c.response_data == f'"{value}"')


OUTCOMES: dict[str, ColumnElement[bool]] = {
    "approved": _decided("approve"),
    "rejected": _decided("reject"),
    "needs_changes": _decided("needs_changes"),
    "answered": and_(_completed, ~_is_approval),
    "timeout": or_(requests.c.status == "timeout", and_(rows.IS_OPEN, requests.c.timeout_at <= NOW)),
    "cancelled": requests.c.status == "cancelled",
}
"""How a request ended."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What the history is narrowed to; empty: everything.

    Attributes:
        person_id: who decided.
        since: closed at or after, in milliseconds since 1970.
        until: closed before.
    """

    loop_id: str = ""
    person_id: str = ""
    outcome: str = ""
    since: int | None = None
    until: int | None = None
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
        if self.person_id:
            found.append(requests.c.response_by == self.person_id)
        if self.outcome:
            found.append(OUTCOMES[self.outcome])
        if self.since is not None:
            found.append(_closed_at >= self.since)
        if self.until is not None:
            found.append(_closed_at < self.until)
        return found


def count(tx: Tx, person: Person, wanted: Filter) -> int:
    """How many match."""
    query = select(func.count()).select_from(requests).where(_closed, IN_MY_LOOP, *wanted.conditions())
    return tx.connection.execute(query, {"now": tx.now, "user_id": person.user_id}).scalar_one()


def listed(tx: Tx, person: Person, wanted: Filter, page: int = 1) -> list[ReviewRequest]:
    """One page of what matches.

    Args:
        page: from 1.
    """
    query = (
        select(requests.c.id)
        .where(_closed, IN_MY_LOOP, *wanted.conditions())
        .order_by(_closed_at.desc(), requests.c.id)
        .limit(PAGE)
        .offset(PAGE * (page - 1))
    )
    ids = list(tx.connection.execute(query, {"now": tx.now, "user_id": person.user_id}).scalars())
    by_id = rows.by_ids(tx, ids)
    return [rows.view(by_id[request_id], tx.now) for request_id in ids]


def deciders(tx: Tx, person: Person) -> list[tuple[str, str]]:
    """Ids and names of everybody who decided something in this person's loops."""
    decided: Any = select(requests.c.response_by).where(_completed, IN_MY_LOOP)
    query = select(users.c.id, users.c.name).where(users.c.id.in_(decided)).order_by(users.c.name, users.c.id)
    return [(row.id, row.name) for row in tx.connection.execute(query, {"user_id": person.user_id})]
