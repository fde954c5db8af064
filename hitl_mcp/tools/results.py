"""What a tool returns: a structured result, and one plain sentence for the model (D21)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, Field, WithJsonSchema

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.outcome import Outcome, outcome_of
from hitl_mcp.contract.states import Assurance, Kind, Status
from hitl_mcp.sdk.endpoint import Endpoint

MAX_SHOWN = 4_000
READS = "check_request"
"""The tool that reads a request, unless another set of tools is served."""


class ReviewResult(BaseModel):
    """Where a request stands.

    Attributes:
        answer: what the person answered.
        inbox: where a person answers.
    """

    outcome: Outcome
    approved: bool = Field(description="True only for a person's explicit approval")
    request_id: str
    status: Annotated[Status, WithJsonSchema({"type": "string"})]
    message: str
    answer: Any = None
    default_response: Any = Field(default=None, description="Applies only when nobody answered in time")
    reviewer_comment: str | None = None
    reviewer_question: str | None = Field(default=None, description="What a reviewer wants to know before deciding")
    decided_by: str | None = None
    decided_at: datetime | None = None
    channel: str | None = None
    assurance: str | None = None
    decided_revision: int | None = None
    open_until: datetime
    joined: bool = Field(default=False, description="The same question was already asked; this is one request, not two")
    repeat: bool = Field(default=False, description="This decision was handed over before; it allows no second action")
    backend: str = Field(
        default="local", description="`local`: the user's machine; `server`: their team's; `cloud`: HITL.sh"
    )
    inbox: str


def words_on(
    request: ReviewRequest,
    backend: Endpoint,
    *,
    joined: bool = False,
    repeat: bool = False,
    notes: list[str] | None = None,
    reads: str = READS,
) -> str:
    """Where the request stands and what to do next.

    Args:
        reads: the tool that reads a request.

    Raises: ToolError when the request claims to be decided and cannot be read; that is never an approval (H11).
    """
    outcome = outcome_of(request)
    if outcome is Outcome.UNREADABLE:
        raise ToolError(
            f"Request {request.id} is marked as completed, but its decision cannot be trusted. It is NOT approved. "
            "Do not act; tell your user, and ask again if the question still matters."
        )
    sentences = [_sentence(request, outcome), *(notes or ())]
    if repeat:
        sentences.append(
            "This decision was already handed to you; one approval allows one action, so do not act twice."
        )
    elif joined:
        sentences.append("The same question was already asked, so this is that request: one decision, not two.")
    if outcome is Outcome.QUESTION:
        answered = "its answer as updates.reviewer_answer" if reads != READS else "your answer"
        sentences.append(
            f"Next: call update_request with request_id {request.id} and {answered}; then wait again with {reads}. Do "
            "not act before it is decided."
        )
    elif outcome is Outcome.PENDING:
        sentences.append(
            f"A person answers in {_place(backend)}. Next: call {reads} with request_id "
            f"{request.id} and wait_seconds 45. Do not act before it is decided."
        )
    return " ".join(sentences)


def review_result(
    request: ReviewRequest, backend: Endpoint, message: str, *, joined: bool = False, repeat: bool = False
) -> CallToolResult:
    """The tool's result for a request.

    Args:
        message: as `words_on` made it.
    """
    outcome = outcome_of(request)
    result = ReviewResult(
        outcome=outcome,
        approved=outcome is Outcome.APPROVED,
        request_id=request.id,
        status=request.status,
        message=message,
        answer=request.response_data if request.status is Status.COMPLETED else None,
        default_response=request.default_response,
        reviewer_comment=request.response_comment,
        reviewer_question=request.reviewer_question.question if request.reviewer_question else None,
        decided_by=request.response_by_user.name if request.response_by_user else request.response_by,
        decided_at=request.response_at,
        channel=request.response_channel,
        assurance=request.response_assurance,
        decided_revision=request.decided_revision,
        open_until=request.timeout_at,
        joined=joined,
        repeat=repeat,
        backend=backend.name,
        inbox=page_of(request, backend),
    )
    return plain(message, result)


def page_of(request: ReviewRequest, backend: Endpoint) -> str:
    """Where a person answers this request."""
    return backend.inbox if backend.name == "cloud" else f"{backend.inbox}/requests/{request.id}"


def _place(backend: Endpoint) -> str:
    match backend.name:
        case "local":
            return f"the inbox at {backend.inbox} (or the command hitl-mcp inbox)"
        case "server":
            return f"the inbox at {backend.inbox}"
        case "cloud":
            return f"the HITL.sh app ({backend.inbox})"


def plain(sentence: str, structured: BaseModel) -> CallToolResult:
    """A result whose text is a sentence and whose structure is the model."""
    content = structured.model_dump(mode="json", by_alias=True)
    return CallToolResult(content=[TextContent(type="text", text=sentence)], structured_content=content)


def _sentence(request: ReviewRequest, outcome: Outcome) -> str:
    who = request.response_by_user.name if request.response_by_user else "a person"
    if request.response_assurance is Assurance.CLIENT_ASSERTED:
        who += " (answered in the client's own dialog, which this service cannot check)"
    when = f" at {request.response_at:%Y-%m-%d %H:%M} UTC" if request.response_at else ""
    said = _comment(request.response_comment)
    match outcome:
        case Outcome.APPROVED:
            return f"Approved by {who}{when}.{said} You may do exactly what was asked, once."
        case Outcome.REJECTED:
            return f"Rejected by {who}{when}.{said} Do not do it."
        case Outcome.NEEDS_CHANGES:
            return f"Changes wanted by {who}{when}.{said} Do not act; change the plan and ask again."
        case Outcome.ANSWERED:
            return f"Answered by {who}{when}: {_shown(request.response_data)}.{said}"
        case Outcome.TIMED_OUT if request.kind is Kind.APPROVAL:
            return (
                "Nobody answered in time, so the default applies: rejected. No person decided this. Do not act; "
                "ask again if it still matters."
            )
        case Outcome.TIMED_OUT if request.default_response is None:
            return "Nobody answered in time and there is no default, so there is no answer."
        case Outcome.TIMED_OUT:
            default = _shown(request.default_response)
            return f"Nobody answered in time, so the default applies: {default}. No person chose it."
        case Outcome.CANCELLED:
            return "The request was withdrawn. Nobody decided it; do not act on it."
        case Outcome.QUESTION if request.reviewer_question is not None:
            asked = request.reviewer_question
            return f'Not decided yet: {asked.asked_by or "a reviewer"} asks you first: "{asked.question}"'
        case _:
            until = f"{request.timeout_at:%Y-%m-%d %H:%M} UTC"
            more = _climbed(request) + _answered_back(request)
            return f"Not decided yet; {_holder(request)}.{more} It can be answered until {until}."


def waits_for_a_person(request: ReviewRequest) -> bool:
    """Whether there is anything to wait for: not where it is closed, or a reviewer waits for the agent."""
    return request.status.is_open and not request.waits_for_agent


def where_it_stands(request: ReviewRequest) -> str:
    """An open request's state in a few words."""
    if request.waits_for_agent and (asked := request.reviewer_question) is not None:
        return f"{asked.asked_by or 'A reviewer'} asks the agent (update_request answers): {asked.question}"
    who = request.claimed_by_user
    return f"{who.name} is looking at it" if who else "Waiting for a person"


def _climbed(request: ReviewRequest) -> str:
    stands = request.escalation
    if stands is None or not stands.steps:
        return ""
    last = stands.steps[-1]
    return f" It was escalated (step {stands.level} of {stands.of}, now with {last.to_loop_name})."


def _answered_back(request: ReviewRequest) -> str:
    asked = request.reviewer_question
    return " Your answer to the reviewer's question stands beside it." if asked is not None and asked.answer else ""


def _holder(request: ReviewRequest) -> str:
    return f"{request.claimed_by_user.name} is looking at it" if request.claimed_by_user else "nobody has taken it yet"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}... (cut; whole in `answer`)"


def _comment(comment: str | None) -> str:
    """A person's words, bounded and marked, so that they read as data (H42)."""
    return f' The reviewer wrote: "{comment}"' if comment else ""
