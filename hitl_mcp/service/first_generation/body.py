"""What first-generation callers send: `content`, `content_type`, `priority: normal`, `ai_analysis`, `metadata`."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Tag

from hitl_mcp.contract.answers import ResponseType
from hitl_mcp.contract.first_generation import DIALECT
from hitl_mcp.contract.media import Url
from hitl_mcp.contract.models import DEFERRED_TIMEOUT, MIN_TIMEOUT, NewRequest, Platform, ProcessingType
from hitl_mcp.contract.states import Kind, Priority
from hitl_mcp.contract.text import STORABLE, Json, JsonObject
from hitl_mcp.service.lifecycle.asking import Asked

MAX_CONTENT = 500_000
"""Longer than a question of today may be; it is kept and shown whole."""

_Option = Annotated[str, Field(min_length=1, max_length=100), STORABLE]
_PRIORITIES = {"normal": "medium", "urgent": "critical"}
_OPTIONS = ["Approve", "Reject", "Needs Changes"]


def _showable(content: Any) -> Any:
    if content is None or not _text(content).strip():
        raise ValueError("must not be empty")
    if len(_text(content)) > MAX_CONTENT:
        raise ValueError(f"must be at most {MAX_CONTENT} characters")
    return content


class FirstRequest(BaseModel):
    """A first-generation body. What it lacks is filled in: an approval, deferred, 30 days, rejected by default.

    Fields of today beside `content` are taken as they are.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    content: Annotated[Json, AfterValidator(_showable)]
    content_type: Annotated[str, Field(max_length=100), STORABLE] = "text"
    priority: Literal["low", "normal", "medium", "high", "urgent", "critical"] = "normal"
    ai_analysis: Json = None
    metadata: Json = None
    context: JsonObject | None = None
    options: Annotated[list[_Option], Field(max_length=20)] | None = None
    timeout_seconds: Annotated[int, Field(ge=MIN_TIMEOUT, le=DEFERRED_TIMEOUT)] | None = None
    callback_url: Url | None = None
    response_type: ResponseType | None = None
    response_config: JsonObject | None = None
    default_response: Json = None
    processing_type: ProcessingType = "deferred"
    platform: Platform = "api"
    platform_version: Annotated[str, Field(max_length=100), STORABLE] | None = None
    tags: Annotated[list[_Option], Field(max_length=50)] | None = None


class _Filled(NewRequest):
    """Today's question, but as long as the content was, and shown literally unless it was Markdown."""

    request_text: Annotated[str, Field(min_length=1, max_length=MAX_CONTENT), STORABLE]
    type: Literal["markdown", "text"] = "text"  # pyright: ignore[reportIncompatibleVariableOverride]  # frozen, never assigned


def asked(body: FirstRequest) -> Asked:
    """The question that a first-generation body means. Raises: ValidationError when its fields do not fit together."""
    context: dict[str, Any] = dict(body.context or {})
    if rest := _beside_text(body.content):
        context["content"] = rest
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
        processing_type=body.processing_type,
        platform=body.platform,
        platform_version=body.platform_version,
        tags=body.tags,
        **_answering(body),
    )
    return Asked(new, dialect=DIALECT)


def _answering(body: FirstRequest) -> dict[str, Any]:
    if not body.options and body.response_type is body.response_config is body.default_response is None:
        return {"kind": Kind.APPROVAL}
    kind = body.response_type or ResponseType.SINGLE_SELECT
    config, default = body.response_config, body.default_response
    if config is None and kind in (ResponseType.SINGLE_SELECT, ResponseType.MULTI_SELECT):
        options = body.options or _OPTIONS
        config = {"options": options, "required": True}
        if default is None and kind is ResponseType.SINGLE_SELECT:
            default = next((option for option in options if option.strip().casefold() == "reject"), None)
    return {
        "kind": Kind.QUESTION, "response_type": kind, "response_config": config or {}, "default_response": default
    }  # fmt: skip


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    text = _fields(content).get("text")
    return text if isinstance(text, str) else json.dumps(content, indent=2, ensure_ascii=False)


def _beside_text(content: Any) -> dict[str, Any]:
    """What a `{text, ...}` holds besides its text; it is shown as context."""
    fields = _fields(content)
    return {name: fields[name] for name in fields if name != "text"} if isinstance(fields.get("text"), str) else {}


def _fields(content: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", content) if isinstance(content, dict) else {}


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
