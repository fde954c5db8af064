"""Registered webhooks: what one is told of, as it is sent and as it is read (contract sections 5.2 and 5.3)."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, model_validator

from hitl_mcp.contract.media import Url
from hitl_mcp.contract.record import Record
from hitl_mcp.contract.text import STORABLE

REQUEST_EVENTS = (
    "request.created", "request.updated", "request.claimed", "request.released", "request.completed",
    "request.timeout", "request.cancelled", "request.escalated", "request.feedback",
)  # fmt: skip
LOOP_EVENTS = ("loop.member_joined", "loop.member_left")
REVIEW_EVENTS = tuple(name.replace("request.", "review.") for name in REQUEST_EVENTS)
"""The same of requests, in the words of the oldest generation."""
EVENTS = (*REQUEST_EVENTS, *LOOP_EVENTS, *REVIEW_EVENTS)
TEST_EVENT = "webhook.test"
CLOSING_EVENTS = ("completed", "timeout", "cancelled")
"""What a `callback_url` is told of."""
SECRET_PREFIX = "whsec_"  # the prefix is no secret

_PATTERN = re.compile(r"!?(\*|[a-z_]+\.(\*|[a-z_]+))")


def matches(patterns: list[str] | tuple[str, ...], event: str) -> bool:
    """Whether an endpoint with these patterns is told of an event: one names it, and none with `!` does."""
    wanted = [one for one in patterns if not one.startswith("!")] or ["*"]
    unwanted = [one[1:] for one in patterns if one.startswith("!")]
    return any(_names(one, event) for one in wanted) and not any(_names(one, event) for one in unwanted)


def names_reviews(patterns: list[str] | tuple[str, ...]) -> bool:
    """Whether an endpoint asks for `review.*` by name; `*` alone asks for the request's own events."""
    return any(one.startswith("review.") for one in patterns)


def _names(pattern: str, event: str) -> bool:
    return pattern in ("*", event) or (pattern.endswith(".*") and event.startswith(pattern[:-1]))


def _pattern(text: str) -> str:
    name = text.strip()
    if not _PATTERN.fullmatch(name):
        raise ValueError(
            "must be an event such as request.completed, or a pattern such as request.* or !request.claimed"
        )
    if not name.startswith("!") and "*" not in name and name not in EVENTS:
        raise ValueError(f"is never sent. There are {', '.join((*REQUEST_EVENTS, *LOOP_EVENTS))}; also as review.*")
    return name


def _secret(text: str) -> str:
    if text.startswith(SECRET_PREFIX):
        try:
            base64.b64decode(text.removeprefix(SECRET_PREFIX) + "==", validate=False)
        except (binascii.Error, ValueError):
            raise ValueError("begins with whsec_, so base64 must follow (Standard Webhooks)") from None
    return text


Pattern = Annotated[str, Field(max_length=60), AfterValidator(_pattern)]
Patterns = Annotated[list[Pattern], Field(min_length=1, max_length=50)]
Secret = Annotated[str, Field(min_length=16, max_length=180), STORABLE, AfterValidator(_secret)]
LoopRef = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{24}$"), AfterValidator(str.lower)]
Description = Annotated[str, Field(max_length=500), STORABLE]


class NewWebhook(BaseModel):
    """The body of "create webhook". Without a secret one is made."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    url: Url
    events: Patterns = ["*"]  # pydantic copies it
    loop_id: LoopRef | None = None
    secret: Secret | None = None
    enabled: StrictBool = True
    description: Description | None = None


class WebhookChange(BaseModel):
    """The body of "update webhook": any subset. A secret changes by rotating it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    url: Url | None = None
    events: Patterns | None = None
    loop_id: LoopRef | None = None
    enabled: StrictBool | None = None
    description: Description | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        given = self.model_fields_set & set(WebhookChange.model_fields)
        if not given:
            raise ValueError("at least one of url, events, loop_id, enabled, description must be given")
        for name in ("url", "events", "enabled"):
            if name in given and getattr(self, name) is None:
                raise ValueError(f"{name} must not be null")
        return self


class Rotation(BaseModel):
    """The body of "rotate": for how long the former secret signs too, in seconds, and the new one if it is given."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    overlap_seconds: Annotated[int, Field(ge=0, le=7 * 86_400)] = 86_400
    secret: Secret | None = None


class Redelivery(BaseModel):
    """The body of "redeliver": one delivery, or all since a time."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    delivery_id: Annotated[int, Field(ge=1)] | None = None
    since: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.delivery_id is None) == (self.since is None):
            raise ValueError("give either delivery_id or since")
        return self


class Webhook(Record):
    """A registered endpoint as it is read. Its secret is in the reply that made it, and nowhere else."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    id: str
    url: str
    events: list[str]
    loop_id: str | None = None
    description: str | None = None
    enabled: bool
    disabled_why: str | None = None
    failing_since: datetime | None = None
    created_at: datetime
    updated_at: datetime
    former_secret_until: datetime | None = None
    secret: str | None = None


class Attempt(BaseModel):
    """One attempt at a delivery: what came back, or in `excerpt` why nothing did."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    at: datetime
    milliseconds: int
    status: int | None = None
    excerpt: str | None = None


class Delivered(Record):
    """One delivery with its attempts. `next_at`: when it is tried again."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    id: int
    event_id: str
    event: str
    request_id: str | None = None
    seq: int | None = None
    state: Literal["waiting", "done", "failed", "dropped"]
    created_at: datetime
    next_at: datetime | None = None
    attempts: list[Attempt]
