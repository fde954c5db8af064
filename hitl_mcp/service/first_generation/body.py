"""What first-generation callers send: `content`, `content_type`, `priority: normal`, `ai_analysis`, `metadata`."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, Tag

from hitl_mcp.contract.answers import ResponseType
from hitl_mcp.contract.media import Url
from hitl_mcp.contract.models import DEFERRED_TIMEOUT, MIN_TIMEOUT, NewRequest
from hitl_mcp.contract.states import Kind, Priority
from hitl_mcp.contract.text import STORABLE, Json, JsonObject
from hitl_mcp.service.lifecycle.asking import Asked

DIALECT = "first"
MAX_CONTENT = 500_000
"""Longer than a question of today may be; it is kept and shown whole."""

_Option = Annotated[str, Field(min_length=1, max_length=100), STORABLE]
_PRIORITIES = {"normal": "medium", "urgent": "critical"}


class FirstRequest(BaseModel):
    """A first-generation body. What it lacks is filled in: an approval, deferred, 30 days, rejected by default."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    content: Json
    content_type: Annotated[str, Field(max_length=100)] = "text"
    priority: Literal["low", "normal", "medium", "high", "urgent", "critical"] = "normal"
    ai_analysis: Json = None
    metadata: Json = None
    context: JsonObject | None = None
    options: Annotated[list[_Option], Field(max_length=20)] | None = None
    timeout_seconds: Annotated[int, Field(ge=MIN_TIMEOUT, le=DEFERRED_TIMEOUT)] | None = None
    callback_url: Url | None = None


class _Filled(NewRequest):
    """Today's question, but as long as the content was, and shown literally unless it was Markdown."""

    request_text: Annotated[str, Field(min_length=1, max_length=MAX_CONTENT), STORABLE]
    type: Literal["markdown", "text"] = "text"  # pyright: ignore[reportIncompatibleVariableOverride]  # frozen, never assigned


def asked(body: FirstRequest) -> Asked:
    """The question that a first-generation body means. Raises: ValueError when there is nothing to show."""
    context: dict[str, Any] = dict(body.context or {})
    for name in ("ai_analysis", "metadata"):
        if (value := getattr(body, name)) is not None:
            context[name] = value
    new = _Filled(
        request_text=_text(body.content),
        type="markdown" if body.content_type.lower() in ("markdown", "text/markdown") else "text",
        priority=Priority(_PRIORITIES.get(body.priority, body.priority)),
        context=context or None,
        timeout_seconds=body.timeout_seconds,
        callback_url=body.callback_url,
        **_options(body.options),
    )
    return Asked(new, dialect=DIALECT)


def _options(options: list[str] | None) -> dict[str, Any]:
    if not options:
        return {"kind": Kind.APPROVAL}
    default = next((option for option in options if option.strip().casefold() == "reject"), None)
    return {
        "kind": Kind.QUESTION,
        "response_type": ResponseType.SINGLE_SELECT,
        "response_config": {"options": options, "required": True},
        "default_response": default,
    }


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        known = cast("dict[str, Any]", content)
        if isinstance(known.get("text"), str):
            return str(known["text"])
    return json.dumps(content, indent=2, ensure_ascii=False)


def generation_of(body: Any) -> str:
    """Which generation a body belongs to: the same path takes both."""
    if isinstance(body, FirstRequest):
        return "first"
    if isinstance(body, dict):
        known = cast("dict[str, Any]", body)
        return "first" if "content" in known and "request_text" not in known else "current"
    return "current"


TaggedFirst = Annotated[FirstRequest, Tag("first")]
TaggedCurrent = Annotated[NewRequest, Tag("current")]
