"""The result of a review, read from its request (compatibility section 3). Nothing but a person's own yes approves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from hitl_mcp.contract.answers import FormConfig, ResponseType, read_config
from hitl_mcp.contract.forms import AnswerField, BooleanField
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.outcome import Outcome, outcome_of
from hitl_mcp.errors import AnswerRejected

FACTS = "hitl_mcp_review"
"""Where a backend that knows no reviews keeps a review's own facts: in `context`, beside the content."""
APPROVED, FEEDBACK = "approved", "feedback"


def facts_of(request: ReviewRequest) -> dict[str, Any] | None:
    """What was kept of a review in its request; None for a request that was not asked as one."""
    kept = request.get("review")
    if kept is None and request.context is not None:
        kept = request.context.get(FACTS)
    return cast("dict[str, Any]", kept) if isinstance(kept, dict) else None


def content_of(request: ReviewRequest) -> dict[str, Any]:
    """What was given to be reviewed, without anybody's edits."""
    facts, shown = facts_of(request) or {}, request.context or {}
    given = facts.get("content", shown.get("content") if FACTS in shown else shown)
    return cast("dict[str, Any]", given) if isinstance(given, dict) else {}


def result_of(request: ReviewRequest) -> dict[str, Any]:
    """The content with the reviewer's edits, every field, `approved` and `feedback`."""
    content, fields, answer = content_of(request), _fields(request), _answer(request)
    result = dict(content)
    for field in fields:
        name, given = field.name, answer.get(field.name)
        if name in answer and not (given is None and name in content and field.initial is None):
            result[name] = given
        else:
            result.setdefault(name, None)  # nobody was shown the content's value in this field, so nobody took it out
    result[APPROVED] = _approved(request, fields, answer)
    written = answer.get(FEEDBACK) if any(field.name == FEEDBACK for field in fields) else None
    result[FEEDBACK] = written or request.response_comment
    return result


def _fields(request: ReviewRequest) -> list[AnswerField]:
    """The fields that can be answered; none for another question than a form."""
    if request.response_type is not ResponseType.FORM:
        return []
    try:
        config = read_config(request.response_type, request.response_config)
    except AnswerRejected:
        return []
    return config.answerable if isinstance(config, FormConfig) else []


def _answer(request: ReviewRequest) -> dict[str, Any]:
    """A person's answer to the form that is there now; empty for everything else."""
    answered = outcome_of(request) is Outcome.ANSWERED and request.decided_revision == request.revision
    given = request.response_data
    is_form = request.response_type is ResponseType.FORM and isinstance(given, dict)
    return cast("dict[str, Any]", given) if answered and is_form else {}


def _approved(request: ReviewRequest, fields: list[AnswerField], answer: Mapping[str, Any]) -> bool:
    """A review's boolean of that name, else the decision of an approval. A form asked as no review approves nothing."""
    if outcome_of(request) is Outcome.APPROVED:
        return True
    asked = any(isinstance(field, BooleanField) and field.name == APPROVED for field in fields)
    return asked and facts_of(request) is not None and answer.get(APPROVED) is True
