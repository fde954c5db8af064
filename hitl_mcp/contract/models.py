"""Bodies and objects of the wire (contract sections 2.2 to 2.6), used by both sides.

Our own additions stand beside the contract's names: `kind`, `revision`, `decision`, `response_comment`,
`response_channel`, `response_assurance`, `decided_revision`, `joined`, `repeat`, `client_answers`, `due_at`, `review`,
`assigned_to`, `reviewer_question`, `escalation`.

Validators of what only a client reads are built at first use (`defer_build`), because a stdio server must start fast.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hitl_mcp.contract.answers import ResponseType
from hitl_mcp.contract.escalation import Escalation
from hitl_mcp.contract.media import Url, WithMedia, own_words
from hitl_mcp.contract.record import Record
from hitl_mcp.contract.states import Assurance, Channel, Kind, Priority, Status
from hitl_mcp.contract.teams import Member
from hitl_mcp.contract.text import STORABLE, Json, JsonObject

MIN_TIMEOUT, MAX_TIMEOUT = 60, 86_400
DEFERRED_TIMEOUT = 30 * 86_400
MAX_REQUEST_TEXT = 2_000
MAX_COMMENT = 2_000
MAX_ASSIGNEES = 50

ProcessingType = Literal["time-sensitive", "deferred"]
Platform = Literal["n8n", "zapier", "web_portal", "api", "mobile", "webhook"]


def _written_out(value: object) -> object:
    """A bare number would be taken for seconds since 1970: `2026` would quietly find nothing."""
    number = isinstance(value, int | float) or (isinstance(value, str) and re.fullmatch(r"\s*[-+.\d]+\s*", value))
    if number:
        raise ValueError("must be a time with its zone, like 2026-03-02T09:30:00Z")
    return value


def _of_our_time(at: datetime) -> datetime:
    if not 1970 <= at.year < 9000:  # further out no zone can be applied to it
        raise ValueError("must be a time between the years 1970 and 9000")
    return at


def _with_zone(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


_Moment = Annotated[datetime, AfterValidator(_with_zone)]
"""A time in an answer. One without a zone is UTC, so that two times can always be compared."""
_DueAt = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_of_our_time)]
_RequestText = Annotated[str, Field(min_length=1, max_length=MAX_REQUEST_TEXT), STORABLE]
_Timeout = Annotated[int, Field(ge=MIN_TIMEOUT, le=DEFERRED_TIMEOUT)]
_Tags = Annotated[list[Annotated[str, Field(min_length=1, max_length=100), STORABLE]], Field(max_length=50)]


class ReviewFacts(BaseModel):
    """What a request that was born as a review (compatibility section 3) keeps for its author; people see the form.

    Attributes:
        assignees: addresses of people who shall answer; they become pending members of the loop, where the key may.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    template_id: Annotated[str, Field(max_length=200), STORABLE] | None = None
    content: JsonObject | None = None
    assignees: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=320), STORABLE]], Field(max_length=MAX_ASSIGNEES)
    ] = Field(default_factory=list[str])


class NewRequest(WithMedia):
    """The body of "create request".

    An approval (`kind="approval"`) brings no options of its own: the service builds Approve, Reject and Needs Changes
    with the default Reject (D11, H6), so that a label can never say something else than the outcome.

    `due_at` is a target that people see, and no timeout: a past one is shown as overdue.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Kind = Kind.QUESTION
    processing_type: ProcessingType = "deferred"
    priority: Priority = Priority.MEDIUM
    request_text: _RequestText
    response_type: ResponseType = ResponseType.SINGLE_SELECT
    response_config: JsonObject = Field(default_factory=dict)
    default_response: Json = None
    timeout_seconds: _Timeout | None = None
    context: JsonObject | None = None
    platform: Platform = "api"
    platform_version: Annotated[str, Field(max_length=100), STORABLE] | None = None
    callback_url: Url | None = None
    tags: _Tags | None = None
    due_at: _DueAt | None = None
    review: ReviewFacts | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.processing_type == "time-sensitive":
            if self.timeout_seconds is None:
                raise own_words("timeout_seconds is required for time-sensitive requests")
            if self.timeout_seconds > MAX_TIMEOUT:
                raise ValueError(f"timeout_seconds must be between {MIN_TIMEOUT} and {MAX_TIMEOUT}")
        if self.kind is Kind.APPROVAL and {"response_type", "response_config", "default_response"} & (
            self.model_fields_set
        ):
            raise ValueError(
                "an approval has fixed options; leave out response_type, response_config, default_response"
            )
        return self


class RequestChange(BaseModel):
    """The body of PATCH: any non-empty subset. An approval's options cannot be changed.

    `reviewer_answer` answers what a reviewer has asked back; `assigned_to` is a member of the loop who is asked first,
    or null for nobody in particular.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    request_text: _RequestText | None = None
    priority: Priority | None = None
    context: JsonObject | None = None
    timeout_seconds: _Timeout | None = None
    response_config: JsonObject | None = None
    default_response: Json = None
    callback_url: Url | None = None
    tags: _Tags | None = None
    due_at: _DueAt | None = None
    review: ReviewFacts | None = None
    reviewer_answer: Annotated[str, Field(min_length=1, max_length=MAX_COMMENT), STORABLE] | None = None
    assigned_to: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{24}$"), AfterValidator(str.lower)] | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise own_words("At least one field must be provided for update")
        return self


class NewAnswer(BaseModel):
    """What a reviewer sends: the answer, and the revision that was on the screen (H4)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    response_data: Json
    revision: Annotated[int, Field(ge=1)]
    comment: Annotated[str, Field(max_length=MAX_COMMENT), STORABLE] = ""


class Reviewer(BaseModel):
    """A person, as others see them."""

    model_config = ConfigDict(defer_build=True)

    id: str
    name: str
    email: str | None = None


class ReviewerQuestion(BaseModel):
    """What a reviewer asked the agent before deciding, and the agent's answer once there is one."""

    model_config = ConfigDict(defer_build=True)

    question: str
    asked_by: str
    asked_at: _Moment
    answer: str | None = None
    answered_at: _Moment | None = None


class Image(BaseModel):
    """An image as it was fetched when the question was asked; served from our own address (H5)."""

    model_config = ConfigDict(defer_build=True)

    url: str
    digest: str
    content_type: str


class Broadcast(BaseModel):
    """One member whom a request was meant for."""

    model_config = ConfigDict(defer_build=True)

    user_id: str
    email: str | None = None
    role: str = "member"
    notification_sent: bool = False
    notification_error: str | None = None


class ReviewRequest(Record):
    """A request as every reply, tool and page sees it (contract section 2.5)."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    id: str
    loop_id: str
    creator_id: str
    api_key_id: str
    kind: Kind = Kind.QUESTION
    status: Status
    revision: int = 1
    view_digest: str | None = None
    processing_type: str
    type: str
    priority: Priority
    request_text: str
    response_type: ResponseType
    response_config: dict[str, Any]
    default_response: Any = None
    context: dict[str, Any] | None = None
    platform: str
    platform_version: str | None = None
    user_agent: str | None = None
    timeout_at: _Moment
    created_at: _Moment
    updated_at: _Moment
    claimed_by: str | None = None
    claimed_by_user: Reviewer | None = None
    claimed_at: _Moment | None = None
    cancelled_at: _Moment | None = None
    response_by: str | None = None
    response_by_user: Reviewer | None = None
    response_at: _Moment | None = None
    response_data: Any = None
    response_comment: str | None = None
    response_channel: Channel | None = None
    response_assurance: Assurance | None = None
    response_time_seconds: float | None = None
    decided_revision: int | None = None
    decision: str | None = None
    first_delivered_at: _Moment | None = None
    image_url: str | None = None
    media: dict[str, Any] | None = None
    images: list[Image] = Field(default_factory=list["Image"])
    callback_url: str | None = None
    tags: list[str] | None = None
    broadcasted_at: _Moment | None = None
    dialect: str | None = None
    due_at: _Moment | None = None
    review: dict[str, Any] | None = None
    assigned_to: str | None = None
    assigned_to_user: Reviewer | None = None
    reviewer_question: ReviewerQuestion | None = None
    escalation: Escalation | None = None

    @property
    def waits_for_agent(self) -> bool:
        """Whether a reviewer has asked something back that the agent has not answered."""
        asked = self.reviewer_question
        return self.status.is_open and asked is not None and asked.answer is None


class Created(Record):
    """The reply to "create request" (contract section 2.4), with the request itself beside the contract's fields.

    `joined`: the same question was open, or decided and not collected; this is one request, not two.
    `repeat`: its decision was handed over moments ago; one approval allows one action.
    `client_answers`: the key that asked may pass on what its user answers in the client's own dialog (H7).
    """

    model_config = ConfigDict(defer_build=True)

    request_id: str
    status: Status
    processing_type: str
    type: str
    priority: Priority
    timeout_at: _Moment
    broadcasted_to: int
    notifications_sent: int
    polling_url: str
    joined: bool = False
    repeat: bool = False
    open_ahead: int = 0
    client_answers: bool = False
    notes: list[str] = Field(default_factory=list[str])
    request: ReviewRequest

    @property
    def id(self) -> str:
        """The request's id, under the name that it has everywhere else."""
        return self.request_id


class Loop(BaseModel):
    """A place where questions of one subject go, with the people who answer them."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    id: str
    name: str
    description: str | None = None
    icon: str
    creator_id: str
    member_count: int
    pending_count: int
    created_at: _Moment
    updated_at: _Moment
    members: list[Member] | None = None
    invite_code: str | None = None
    join_url: str | None = None
    qr_code_url: str | None = None


def _status(value: object) -> object:
    return Status(value) if isinstance(value, str) and value == "timed_out" else value


Sort = Literal["created_at_desc", "created_at_asc", "priority_desc", "status_asc"]


class LoopRequestFilter(BaseModel):
    """Which requests to list, and how (contract section 2.5)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    status: Annotated[Status, BeforeValidator(_status)] | None = None
    priority: Priority | None = None
    created_before: Annotated[AwareDatetime, BeforeValidator(_written_out)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    sort: Sort = "created_at_desc"


class RequestFilter(LoopRequestFilter):
    """The same over all loops, or one."""

    loop_id: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{24}$"), AfterValidator(str.lower)] | None = None


class Change(BaseModel):
    """One entry of the event log as the event stream carries it: which request, and what happened.

    `request`: the request itself once it is closed, read from its row, so that who waits need not ask again. What is
    closed never changes its decision, so a late or repeated entry says nothing wrong.
    """

    model_config = ConfigDict(defer_build=True)

    position: int
    request_id: str
    loop_id: str | None = None
    type: str
    status: Status
    request: ReviewRequest | None = None
