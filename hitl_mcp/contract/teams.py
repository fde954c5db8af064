"""Loops, members and feedback as they are sent (contract sections 2.2, 2.3 and 2.7), and what a key may do (H9)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, model_validator

from hitl_mcp.contract.media import own_words
from hitl_mcp.contract.text import STORABLE, storable_json


class Scope(StrEnum):
    """One thing an API key may do."""

    LOOPS_READ = "loops:read"
    LOOPS_WRITE = "loops:write"
    MEMBERS_WRITE = "members:write"
    REQUESTS_READ = "requests:read"
    REQUESTS_WRITE = "requests:write"
    WEBHOOKS_WRITE = "webhooks:write"
    METRICS_READ = "metrics:read"


DEFAULT_SCOPES = (Scope.LOOPS_READ, Scope.REQUESTS_READ, Scope.REQUESTS_WRITE)
"""What a new key may do when nothing is said; writing loops and members is granted explicitly (H9),
and so are webhooks, which send requests to an address of the key's choosing."""


class Role(StrEnum):
    """What a member is in a loop: who keeps it, who answers, who only looks on."""

    OWNER = "owner"
    REVIEWER = "reviewer"
    VIEWER = "viewer"


def _written(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text.strip()


LoopName = Annotated[str, Field(min_length=1, max_length=100), STORABLE, AfterValidator(_written)]
LoopIcon = Annotated[str, Field(min_length=1, max_length=100), STORABLE, AfterValidator(_written)]
LoopDescription = Annotated[str, Field(max_length=500), STORABLE]


class NewLoop(BaseModel):
    """The body of "create loop". Any icon name is taken: the contract does not say that others are refused."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: LoopName
    icon: LoopIcon
    description: LoopDescription | None = None


class LoopChange(BaseModel):
    """The body of "update loop": PUT, but any subset."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: LoopName | None = None
    icon: LoopIcon | None = None
    description: LoopDescription | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        given = self.model_fields_set & set(LoopChange.model_fields)
        if not given:
            raise own_words("At least one field must be provided for update")
        for name in ("name", "icon"):
            if name in given and getattr(self, name) is None:
                raise own_words(f"Loop {name} is required")
        return self


def _address(text: str) -> str:
    name, at, host = text.strip().lower().rpartition("@")
    if not (name and at and "." in host) or any(c.isspace() or c in '<>",;' for c in text.strip()):
        raise ValueError("must be an e-mail address, like ada@example.com")
    return f"{name}@{host}"


Email = Annotated[str, Field(min_length=3, max_length=320), STORABLE, AfterValidator(_address)]
"""An e-mail address in lower case. Whether it exists shows when something is sent there."""


class NewMember(BaseModel):
    """Our addition: invite a person by address. They stay `pending` until a person of the loop confirms (H10)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    email: Email
    name: Annotated[str, Field(min_length=1, max_length=200), STORABLE] | None = None


class Member(BaseModel):
    """A person of a loop. `last_active`: when they last answered in it."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    user_id: str
    name: str | None = None
    email: str | None = None
    status: Literal["pending", "active"]
    role: str = "member"
    joined_at: Any = None
    invited_at: Any = None
    last_active: Any = None


_Mark = Annotated[int, Field(ge=1, le=5, strict=True)]


class Feedback(BaseModel):
    """What the creator says about an answer. Further keys are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)

    rating: _Mark | None = None
    accuracy: _Mark | None = None
    timeliness: _Mark | None = None
    helpfulness: _Mark | None = None
    comment: Annotated[str, Field(max_length=1000), STORABLE] | None = None
    would_recommend: StrictBool | None = None
    tags: Annotated[list[Annotated[str, Field(max_length=100), STORABLE]], Field(max_length=50)] | None = None
    follow_up_needed: StrictBool | None = None
    category: Literal["positive", "constructive", "issue"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _readable(cls, given: Any) -> Any:
        if given == {}:
            raise ValueError("must not be empty")
        return storable_json(given)


class NewFeedback(BaseModel):
    """The body of "add feedback"."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    feedback: Feedback
