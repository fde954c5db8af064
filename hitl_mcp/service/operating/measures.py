"""How the database counts: what became of a request, when, and how long it took. Metrics and figures share these."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, case

from hitl_mcp.contract.states import Kind, Status
from hitl_mcp.service.store.tables import requests

_approval = requests.c.kind == Kind.APPROVAL.value


def _said(value: str) -> ColumnElement[bool]:
    return and_(_approval, requests.c.response_data == f'"{value}"')


IS_ANSWERED = requests.c.status == Status.COMPLETED.value
"""The condition that a person has answered."""
OUTCOME = case(
    (requests.c.status != Status.COMPLETED.value, requests.c.status),
    (_said("approve"), "approved"),
    (_said("reject"), "rejected"),
    (_said("needs_changes"), "needs_changes"),
    else_="answered",
)
"""Of a closed request."""
CLOSED_AT = case(
    (IS_ANSWERED, requests.c.response_at),
    (requests.c.status == Status.CANCELLED.value, requests.c.cancelled_at),
    (requests.c.status == Status.TIMEOUT.value, requests.c.timeout_at),
)
"""When a request was closed; null while it is open."""
DECISION_MS = requests.c.response_at - requests.c.created_at
"""How long a person's answer took; null where nobody answered."""
