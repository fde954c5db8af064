"""Results in the documented shapes: one text block of indented JSON, and the same as structured content.

Beside the documented fields each names its backend, and whatever tells of a request has `outcome` and `approved`, so
that neither a timeout nor a default can pass for a person's answer (H11).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, Field

from hitl_mcp.contract.models import Loop, ReviewRequest
from hitl_mcp.contract.outcome import Outcome, outcome_of
from hitl_mcp.contract.states import Status
from hitl_mcp.tools.desk import Asked, Desk
from hitl_mcp.tools.results import page_of

READS = "get_request"
"""The tool that reads a request, in this set."""

D = TypeVar("D", bound=BaseModel)

Approved = Annotated[bool, Field(description="True only for an approval that a person gave; never for a question")]
Backend = Annotated[str, Field(description="`local`: the user's machine; `server`: their team's; `cloud`: HITL.sh")]
Inbox = Annotated[str, Field(description="Where a person answers")]
RequestObject = Annotated[
    dict[str, Any], Field(description="The API's request; `response_data` is null until a person has answered")
]


class LoopsResult(BaseModel):
    """What `list_loops` returns."""

    message: str
    loops: list[dict[str, Any]]
    count: int
    backend: Backend
    inbox: Inbox


class Summary(BaseModel):
    """How much of a list this page is."""

    count: int
    total: Annotated[int | None, Field(description="How many match in all; null where this page is not the last")]
    has_more: bool


class RequestsResult(BaseModel):
    """What `list_requests` returns."""

    message: str
    summary: Summary
    requests: Annotated[list[RequestObject], Field(description="Each with its `outcome` and `approved`")]
    backend: Backend
    inbox: Inbox


class RequestResult(BaseModel, Generic[D]):
    """What the tools return that tell of one request."""

    message: str
    data: D
    outcome: Outcome
    approved: Approved
    joined: bool = Field(default=False, description="The same question was already asked; this is one request, not two")
    repeat: bool = Field(default=False, description="This decision was handed over before; it allows no second action")
    backend: Backend
    inbox: Inbox


class CreatedData(BaseModel):
    """The API's reply to "create request"."""

    request_id: str
    status: Status
    processing_type: str
    type: str
    priority: str
    timeout_at: datetime
    broadcasted_to: int
    notifications_sent: int
    polling_url: str
    request: Annotated[RequestObject | None, Field(description="The request, once it is closed")] = None


class RequestData(BaseModel):
    """The API's reply to "get request" and "update request"."""

    request: RequestObject


class CancelledData(BaseModel):
    """The API's reply to "cancel request"."""

    request_id: str
    status: Status
    cancelled_at: datetime | None


class FeedbackData(BaseModel):
    """The API's reply to "add feedback"."""

    request_id: str
    feedback: dict[str, Any]


class FeedbackResult(BaseModel):
    """What `add_request_feedback` returns."""

    message: str
    data: FeedbackData
    backend: Backend
    inbox: Inbox


def as_json(result: BaseModel) -> CallToolResult:
    """The result as the official server writes it, and as structured content."""
    content = result.model_dump(mode="json")
    text = json.dumps(content, indent=2, ensure_ascii=False)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=content)


async def told(
    ctx: Context[Any, Any], desk: Desk, request: ReviewRequest, data: BaseModel, asked: Asked | None = None
) -> CallToolResult:
    """The result about one request; a final one is followed until the agent has it (H2).

    Raises: ToolError for a decision that cannot be read (H11).
    """
    asked = asked or Asked()
    backend = await desk.client.backend()
    outcome = outcome_of(request)
    message = desk.message(request, backend, asked, READS) + _MEANING.get(outcome, "")
    result = RequestResult[Any](
        message=message, data=data, outcome=outcome, approved=outcome is Outcome.APPROVED, joined=asked.joined,
        repeat=asked.repeat, backend=backend.name, inbox=page_of(request, backend),
    )  # fmt: skip
    desk.hand_over(ctx, request)
    return as_json(result)


_MEANING = {
    Outcome.ANSWERED: " This was a question, so `approved` stays false: act on what the person answered.",
    Outcome.TIMED_OUT: " A default is never an approval.",
}
_BY_A_PERSON = (Outcome.APPROVED, Outcome.REJECTED, Outcome.NEEDS_CHANGES, Outcome.ANSWERED)
_INTERNAL = {"media", "images", "view_digest", "dialect"}
_NULL_TOO = {
    "image_url", "context", "platform_version", "default_response", "callback_url", "response_by", "response_by_user",
    "response_at", "response_data", "response_time_seconds",
}  # fmt: skip
"""Documented fields that are there when they are null; our own additions are left out then."""


def request_object(request: ReviewRequest) -> dict[str, Any]:
    """The request as the API shows it. What no person answered has neither `response_data` nor a `decision` (H11)."""
    shown = request.model_dump(mode="json", exclude=_INTERNAL)
    if outcome_of(request) not in _BY_A_PERSON:
        shown |= {"response_data": None, "decision": None}
    return {name: value for name, value in shown.items() if value is not None or name in _NULL_TOO}


def listed(request: ReviewRequest) -> dict[str, Any]:
    """The request as an entry of a list."""
    outcome = outcome_of(request)
    return request_object(request) | {"outcome": outcome.value, "approved": outcome is Outcome.APPROVED}


def loop_object(loop: Loop) -> dict[str, Any]:
    """The loop as the API lists it, without ways to join it."""
    return loop.model_dump(mode="json", exclude={"members", "invite_code", "join_url", "qr_code_url"})
