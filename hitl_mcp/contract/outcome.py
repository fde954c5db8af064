"""What a request's state means for the agent that asked (D21), decided in one place and failing closed (D11, H11)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.states import Kind, Status

APPROVAL_CONFIG: dict[str, Any] = {
    "options": [
        {"value": "approve", "label": "Approve", "color": "#15803d"},
        {"value": "reject", "label": "Reject", "color": "#b91c1c"},
        {"value": "needs_changes", "label": "Needs Changes", "color": "#b45309"},
    ],
    "required": True,
}
APPROVAL_DEFAULT = "reject"
_DECISIONS = {"approve": "approved", "reject": "rejected", "needs_changes": "needs_changes"}


class Outcome(StrEnum):
    """What the agent is told. `question`: still open, and a reviewer has asked the agent something."""

    APPROVED = "approved"
    REJECTED = "rejected"
    NEEDS_CHANGES = "needs_changes"
    ANSWERED = "answered"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    PENDING = "pending"
    QUESTION = "question"
    UNREADABLE = "unreadable"


def decision_of(kind: Kind, status: Status, response_data: Any) -> str | None:
    """`approved`, `rejected` or `needs_changes` for a completed approval, else nothing.

    Exact values only: `True`, `1`, `"true"` or a label are no approval (H6, H11).
    """
    if kind is not Kind.APPROVAL or status is not Status.COMPLETED or not isinstance(response_data, str):
        return None
    return _DECISIONS.get(response_data)


def outcome_of(request: ReviewRequest) -> Outcome:
    """The outcome for the agent.

    Approved needs all of: kind approval, status completed, a person, answered before the deadline, the revision known,
    and our own option. An answer that the client passed on counts as the person's, and its assurance says what it is
    worth (H7). Whatever claims to be completed and lacks one of these is `unreadable`: not approved.
    """
    match request.status:
        case Status.PENDING | Status.CLAIMED:
            return Outcome.QUESTION if request.waits_for_agent else Outcome.PENDING
        case Status.TIMEOUT:
            return Outcome.TIMED_OUT
        case Status.CANCELLED:
            return Outcome.CANCELLED
        case Status.COMPLETED:
            pass
    by_person = request.response_by is not None and request.response_at is not None
    if not by_person or request.response_at is None or request.response_at >= request.timeout_at:
        return Outcome.UNREADABLE
    if request.kind is not Kind.APPROVAL:
        return Outcome.ANSWERED
    if request.response_config != APPROVAL_CONFIG or request.decided_revision != request.revision:
        return Outcome.UNREADABLE
    decision = decision_of(request.kind, request.status, request.response_data)
    return Outcome(decision) if decision else Outcome.UNREADABLE
