"""What first-generation callers read: `id`, `status` and `decision` at the top, beside the envelope.

They loop until `status` is `completed`; so an expired or cancelled request is `completed` and `rejected`, and `source`
says why. It is never approved.
"""

from __future__ import annotations

from typing import Any

from hitl_mcp.contract.answers import ResponseType, slug
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.outcome import Outcome, outcome_of
from hitl_mcp.contract.states import Kind, Status
from hitl_mcp.service.first_generation.body import DIALECT

_WORDS = {"approve": "approved", "reject": "rejected", "needs_changes": "needs_changes", "escalate": "escalated"}


def top_level(request: ReviewRequest) -> dict[str, Any]:
    """The fields beside the envelope."""
    match request.status:
        case Status.COMPLETED:
            status, decision, source = "completed", _decision(request), "human"
        case Status.TIMEOUT:
            status, decision, source = "completed", "rejected", "default"
        case Status.CANCELLED:
            status, decision, source = "completed", "rejected", "cancelled"
        case _:
            status, decision, source = "pending", None, None
    return {
        "id": request.id,
        "request_id": request.id,
        "status": status,
        "decision": decision,
        "source": source,
        "response": request.response_data,
        "comment": request.response_comment,
    }


def _decision(request: ReviewRequest) -> str | None:
    """The fixed mapping (compatibility section 6); for a later generation's question only what it has itself (H6)."""
    outcome = outcome_of(request)
    if outcome is Outcome.UNREADABLE:
        return "rejected"
    if request.kind is Kind.APPROVAL:
        return request.decision
    if request.dialect != DIALECT or request.response_type is not ResponseType.SINGLE_SELECT:
        return None
    return _WORDS.get(slug(str(request.response_data)), "rejected")
