"""From a request to the review it is. Whatever is not a person's own yes is not approved (H6, H11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.outcome import outcome_of
from hitl_mcp.contract.review_result import content_of, facts_of, result_of
from hitl_mcp.sdk.reviews.models import Review, texts


def read_review(request: ReviewRequest, notes: Iterable[str] = ()) -> Review:
    """The review that a request is.

    Args:
        notes: what was said when it was made.
    """
    facts = facts_of(request) or {}
    template = facts.get("template_id")
    return Review(
        id=request.id,
        state=request.status,
        result=result_of(request),
        outcome=outcome_of(request),
        template_id=template if isinstance(template, str) else None,
        content=content_of(request),
        assignees=texts(facts.get("assignees")),
        priority=request.priority,
        due_date=_due(request, facts),
        loop_id=request.loop_id,
        created_at=request.created_at,
        updated_at=request.updated_at,
        notes=[*notes, *texts(facts.get("notes"))],
        request=request,
    )


def _due(request: ReviewRequest, facts: Mapping[str, Any]) -> datetime | None:
    due = request.get("due_at") or facts.get("due_date")
    try:
        return datetime.fromisoformat(due) if isinstance(due, str) else due
    except ValueError:
        return None
