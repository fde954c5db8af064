"""Approved is only what a person explicitly approved, in time, on a request of kind approval (H6, H11)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from hitl_mcp.contract.models import Reviewer, ReviewRequest
from hitl_mcp.contract.outcome import APPROVAL_CONFIG, Outcome, outcome_of
from hitl_mcp.contract.states import Kind, Status

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def request(**changes: Any) -> ReviewRequest:
    """A request that a person approved in time, with changes."""
    fields: dict[str, Any] = {
        "id": "a" * 24, "loop_id": "b" * 24, "creator_id": "c" * 24, "api_key_id": "d" * 24, "kind": "approval",
        "status": "completed", "revision": 1, "decided_revision": 1, "processing_type": "deferred", "type": "markdown",
        "priority": "medium", "request_text": "?", "response_type": "single_select",
        "response_config": APPROVAL_CONFIG, "default_response": "reject", "platform": "api",
        "timeout_at": NOW + timedelta(hours=1), "created_at": NOW, "updated_at": NOW, "response_by": "e" * 24,
        "response_by_user": Reviewer(id="e" * 24, name="Ada"), "response_at": NOW, "response_data": "approve",
    }  # fmt: skip
    return ReviewRequest.model_validate(fields | changes)


def test_a_persons_approval_in_time_is_approved() -> None:
    assert outcome_of(request()) is Outcome.APPROVED


LIES = [True, 1, 1.0, "true", "yes", "Approve", "APPROVE", "approved", ["approve"], {"selected_value": "approve"}, None]


def test_no_other_combination_is_approved() -> None:
    """The whole table: status x kind x person x time x option x answer."""
    statuses, kinds = list(Status), list(Kind)
    people = [{}, {"response_by": None}, {"response_at": None}]
    times = [{}, {"response_at": NOW + timedelta(hours=1)}, {"response_at": NOW + timedelta(hours=2)}]
    options = [{}, {"response_config": {"options": [{"value": "approve", "label": "Reject"}]}}, {"decided_revision": 2}]
    answers = ["approve", "reject", "needs_changes", *LIES]
    approved = 0
    for status, kind, person, moment, config, answer in product(statuses, kinds, people, times, options, answers):
        changes = {"status": status, "kind": kind, "response_data": answer, **moment, **config, **person}
        right = (
            status is Status.COMPLETED and kind is Kind.APPROVAL and not person and not moment and not config
            and type(answer) is str and answer == "approve"
        )  # fmt: skip
        assert (outcome_of(request(**changes)) is Outcome.APPROVED) == right, changes
        approved += right
    assert approved == 1


@pytest.mark.parametrize("answer", LIES)
def test_an_unreadable_answer_to_an_approval_is_unreadable(answer: object) -> None:
    assert outcome_of(request(response_data=answer)) is Outcome.UNREADABLE


def test_an_expired_request_with_an_answer_filled_in_is_timed_out() -> None:
    assert outcome_of(request(status="timeout")) is Outcome.TIMED_OUT
    assert outcome_of(request(status="timed_out")) is Outcome.TIMED_OUT


def test_an_option_named_approve_in_a_question_is_only_answered() -> None:
    assert outcome_of(request(kind="question")) is Outcome.ANSWERED
