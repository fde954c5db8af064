"""What a list is narrowed to, as conditions that SQLite and PostgreSQL read alike."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, bindparam, case, or_

from hitl_mcp.contract.states import Kind
from hitl_mcp.service.store.tables import requests

PAGE = 50
"""Requests on one page of a list."""
MAX_WORDS = 8
MAX_SEARCH = 200
RESPONSE_MS = {"critical": 15 * 60_000, "high": 3_600_000, "medium": 4 * 3_600_000, "low": 24 * 3_600_000}
"""Within how long a priority wants its answer (contract, compatibility 7)."""

ME: ColumnElement[Any] = bindparam("user_id")
NOW: ColumnElement[Any] = bindparam("now")


def earlier(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    """The lesser of two columns of which the second may be null."""
    return case((other < one, other), else_=one)


WANTED_BY = earlier(
    earlier(requests.c.created_at + case(RESPONSE_MS, value=requests.c.priority, else_=0), requests.c.due_at),
    requests.c.timeout_at,
)
"""When a request should have been answered: by its priority, its own wish, or its deadline."""


def words_of(search: str) -> list[str]:
    """The words of a search; each of them has to be found."""
    return search[:MAX_SEARCH].split()[:MAX_WORDS]


def says(search: str) -> list[ColumnElement[bool]]:
    """Conditions that the question, its context, its requester or the answer's comment say every word."""
    places = (requests.c.request_text, requests.c.context, requests.c.user_agent, requests.c.response_comment)
    return [or_(*(place.icontains(word, autoescape=True) for place in places)) for word in words_of(search)]


def is_kind(kind: str) -> ColumnElement[bool]:
    """Approvals, or the questions of one response type."""
    if kind == Kind.APPROVAL.value:
        return requests.c.kind == kind
    return (requests.c.kind != Kind.APPROVAL.value) & (requests.c.response_type == kind)
