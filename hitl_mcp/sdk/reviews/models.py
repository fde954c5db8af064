"""What a review is made of, and what it becomes."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, Any, cast

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.outcome import Outcome
from hitl_mcp.contract.record import Record
from hitl_mcp.contract.states import Priority, Status
from hitl_mcp.sdk.plain import plain

PRIORITIES = {"normal": Priority.MEDIUM, "urgent": Priority.CRITICAL}
"""Words of the former generations."""


def _content(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else plain(value)


def _people(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _priority(value: Any) -> Any:
    return PRIORITIES.get(value, value) if isinstance(value, str) else value


def _moment(value: Any) -> Any:
    """A day is meant to its end; a time without a zone by this machine's clock: samples write `now().isoformat()`."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == len("2026-03-02") else datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a day or a time, like 2026-03-02 or 2026-03-02T09:30:00Z") from None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.astimezone()
    if isinstance(value, date):
        return datetime.combine(value, time.max.replace(microsecond=0)).astimezone()
    return value


Content = Annotated[dict[str, Any], BeforeValidator(_content)]
People = Annotated[list[Annotated[str, Field(min_length=3, max_length=320)]], BeforeValidator(_people)]
DueDate = Annotated[AwareDatetime, BeforeValidator(_moment)]
AnyPriority = Annotated[Priority, BeforeValidator(_priority)]


class NewReview(BaseModel):
    """What `create_review` takes.

    Attributes:
        template_id: a template's id, the id its author chose, or the slug of its name; without one it is an approval.
        content: what is reviewed; a bare text is `{"text": ...}`. Values of pandas and NumPy are welcome.
        assignees: addresses of people who shall answer; they become members of the review's loop.
        due_date: a target shown to people, not the timeout.
        request_text: the question's text; by default the template's name.
        loop_id: id or name; by default the template's loop, else HITL_LOOP, else the only one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    template_id: str | None = None
    content: Content = Field(default_factory=dict[str, Any])
    assignees: People | None = None
    priority: AnyPriority | None = None
    due_date: DueDate | None = None
    request_text: str | None = None
    loop_id: str | None = None
    timeout_seconds: int | None = None
    callback_url: str | None = None
    tags: list[str] | None = None


class ReviewChange(BaseModel):
    """What `update_review` takes; what is left out stays, and `content` is merged into what is there."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    content: Content | None = None
    assignees: People | None = None
    priority: AnyPriority | None = None
    due_date: DueDate | None = None


class Review(Record):
    """A review as it stands.

    Attributes:
        result: always a dict: the content with a person's edits, every field of the form, `approved` and `feedback`.
        approved: whether a person approved; never after a timeout, a cancel, or an answer that cannot be read.
        outcome: what happened, in the words of the current generation.
        notes: what the reviewer could not be asked or told, and why.
        request: the request that the review is.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    id: str
    state: Status
    result: dict[str, Any]
    outcome: Outcome
    template_id: str | None
    content: dict[str, Any]
    assignees: list[str]
    priority: Priority
    due_date: datetime | None
    loop_id: str
    created_at: datetime
    updated_at: datetime
    notes: list[str]
    request: ReviewRequest = Field(repr=False)

    @property
    def status(self) -> Status:
        """The state, under the name that requests have for it."""
        return self.state

    @property
    def approved(self) -> bool:
        """Whether a person approved."""
        return self.result["approved"] is True


def texts(value: Any) -> list[str]:
    """The texts of a list that came over the wire."""
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [item for item in items if isinstance(item, str)]
