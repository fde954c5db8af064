"""What first-generation callers read of a request: one decision word (compatibility sections 2 and 6).

They loop until `status` is `completed`; so an expired or cancelled request is `completed` and `rejected`, and `source`
says why. It is never approved.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import ConfigDict

from hitl_mcp.contract.answers import ResponseType, seen
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.outcome import Outcome, outcome_of
from hitl_mcp.contract.record import Record
from hitl_mcp.contract.states import Kind

DIALECT = "first"
"""The `dialect` of a request born with a body of that generation."""

DecisionWord = Literal["approved", "rejected", "needs_changes", "escalated"]
_WORDS: dict[str, DecisionWord] = {
    "approve": "approved",
    "reject": "rejected",
    "needs_changes": "needs_changes",
    "escalate": "escalated",
}


class FirstAnswer(Record):
    """Where a request stands, in that generation's words.

    Attributes:
        status: `pending` or `completed`, which stands for expired and cancelled requests too.
        decision: `approved`, `rejected`, `needs_changes`, `escalated`, or None; approved by a person only.
        source: `human`, `default` when nobody answered in time, or `cancelled`.
        response: the answer itself.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    id: str
    request_id: str
    status: str
    decision: str | None
    source: str | None
    response: Any
    comment: str | None


def decision_word(option: str) -> DecisionWord | None:
    """The decision that an option is, by compatibility section 6's fixed table.

    Exactly these words, however they are written: what a reader sees beside them could mean something else (H6).
    """
    return _WORDS.get(re.sub(r"[\s_-]+", "_", seen(option)))


def first_answer(request: ReviewRequest) -> FirstAnswer:
    """The request in that generation's words."""
    outcome = outcome_of(request)
    match outcome:
        case Outcome.PENDING | Outcome.QUESTION:
            status, decision, source = "pending", None, None
        case Outcome.TIMED_OUT:
            status, decision, source = "completed", "rejected", "default"
        case Outcome.CANCELLED:
            status, decision, source = "completed", "rejected", "cancelled"
        case _:
            status, decision, source = "completed", _decision(request, outcome), "human"
    return FirstAnswer(
        id=request.id, request_id=request.id, status=status, decision=decision, source=source,
        response=request.response_data, comment=request.response_comment,
    )  # fmt: skip


def _decision(request: ReviewRequest, outcome: Outcome) -> str | None:
    """For a later generation's question only what it has itself (H6)."""
    if outcome is Outcome.UNREADABLE:
        return "rejected"
    if request.kind is Kind.APPROVAL:
        return request.decision
    if request.dialect != DIALECT or request.response_type is not ResponseType.SINGLE_SELECT:
        return None
    return decision_word(str(request.response_data)) or "rejected"
