"""The first generation's helpers: `content` in, `decision` out (compatibility section 2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from hitl_mcp.contract.first_generation import decision_word
from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.models import MAX_REQUEST_TEXT, Created, NewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.errors import BadRequest
from hitl_mcp.sdk import calls
from hitl_mcp.sdk.backend import Backend
from hitl_mcp.sdk.given import valid
from hitl_mcp.sdk.plain import plain
from hitl_mcp.sdk.reviews.models import PRIORITIES
from hitl_mcp.sdk.which_loop import HasLoops, find_loop

_OPTIONS = ["Approve", "Reject", "Needs Changes"]
_AS_IT_IS = ("timeout_seconds", "callback_url", "processing_type", "platform", "platform_version", "tags")
_SHOWN = ("ai_analysis", "metadata")


def is_first_generation(body: Mapping[str, Any]) -> bool:
    """Whether a body is one of the first generation: the same call takes both."""
    return "content" in body and "request_text" not in body


async def create(
    loops: HasLoops,
    backend: Backend,
    loop: str,
    body: Mapping[str, Any],
    once_key: str | None,
    headers: Mapping[str, str],
) -> Created:
    """Ask with a body of the first generation: as it is where the backend takes it, as today's question elsewhere.

    Args:
        loop: an id, a name, a slug, or on our own service an operator's alias.

    Raises: as `AsyncHITLClient.create_request`.
    """
    given = cast("dict[str, Any]", plain(dict(body), "data"))
    if (await backend.endpoint()).name != "cloud":
        call = calls.create_first_generation(loop, given, once_key)
        call.headers.update(headers)
        return await backend.send(call)
    loop_id = loop if is_id(loop) else (await find_loop(loops, loop)).id
    return await backend.create(loop_id, valid(NewRequest, as_today(given)), once_key, dict(headers))


def as_today(body: Mapping[str, Any]) -> dict[str, Any]:
    """The question that a first-generation body means, for a backend that has no such bodies.

    Raises: BadRequest for empty content.
    """
    content: Any = body["content"]
    parts = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    own = cast("Any", parts.get("text") if parts else content)
    text = own if isinstance(own, str) else json.dumps(content, indent=2, ensure_ascii=False)
    if content is None or not text.strip():
        raise BadRequest("Validation failed", {"field": "content", "issue": "must not be empty"})
    context = dict(body.get("context") or {})
    if len(text) > MAX_REQUEST_TEXT:
        context["content"], text = content, _cut(text)
    elif isinstance(own, str) and (rest := {name: value for name, value in parts.items() if name != "text"}):
        context["content"] = rest
    context |= {name: body[name] for name in _SHOWN if body.get(name) is not None}
    given = {name: body[name] for name in _AS_IT_IS if body.get(name) is not None}
    priority = body.get("priority", "normal")
    asked = {"request_text": text, "priority": PRIORITIES.get(priority, priority), "context": context or None}
    return {**given, **asked, **_answering(body)}


def _cut(text: str) -> str:
    ending = "\n\n[The beginning; the whole text stands below, as content.]"
    return text[: MAX_REQUEST_TEXT - len(ending)] + ending


def _answering(body: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: body[name] for name in ("response_type", "response_config", "default_response") if name in body}
    options = body.get("options")
    if not options and not own:
        return {"kind": Kind.APPROVAL}
    asked: dict[str, Any] = {"response_config": {"options": options or _OPTIONS, "required": True}}
    rejecting = [option for option in options or _OPTIONS if decision_word(str(option)) == "rejected"]
    if "response_type" not in own and rejecting:
        asked["default_response"] = rejecting[0]
    return asked | own
