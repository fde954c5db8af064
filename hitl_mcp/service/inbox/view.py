"""What the page of one request shows, worked out before any template runs."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from hitl_mcp.contract.answers import (
    FormConfig,
    ResponseConfig,
    ResponseType,
    read_config,
)
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.states import Kind, Status
from hitl_mcp.service.inbox.controls import answer_form
from hitl_mcp.service.inbox.forms import Typed, key_of
from hitl_mcp.service.inbox.markdown import OwnAddress, Rendered, leads_to, render
from hitl_mcp.service.inbox.words import amount, answer_words

MAX_VALUES = 400
MAX_COMPARED = 4_000


@dataclass(frozen=True, slots=True)
class Context:
    """The agent's context. `raw` stands for `rest` when that is too much for a table."""

    details: Rendered | None
    rest: dict[str, Any]
    raw: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of a change. `pieces` are (`same` | `old` | `new`, text)."""

    name: str
    pieces: Sequence[tuple[str, str]]


def config_of(request: ReviewRequest) -> ResponseConfig:
    """The typed configuration of a stored request."""
    return read_config(request.response_type, request.response_config)


def context_of(request: ReviewRequest, own: OwnAddress) -> Context:
    """The context in the parts in which it is shown."""
    rest = dict(request.context or {})
    details = rest.get("details")
    shown = None
    if isinstance(details, str):
        del rest["details"]
        shown = render(details, own)
    raw = json.dumps(rest, indent=2, ensure_ascii=False) if _count(rest) > MAX_VALUES else None
    return Context(shown, rest, raw)


def extent(request: ReviewRequest) -> str:
    """How much the agent says, so that nobody decides before the end of it (H16)."""
    context = dict(request.context or {})
    details = context.pop("details", "") if isinstance(context.get("details"), str) else ""
    parts = [amount(len(request.request_text) + len(details), "character", "characters") + " of text"]
    if context:
        values = _count(context)
        inner = f" with {amount(values, 'value', 'values')}" if values > len(context) else ""
        parts.append(amount(len(context), "context field", "context fields") + inner)
    if request.response_type is ResponseType.FORM:
        fields = request.response_config.get("fields", [])
        letters = len(json.dumps(fields, ensure_ascii=False))
        count = amount(len(fields), "field", "fields")
        parts.append(f"a form of {count} with {amount(letters, 'character', 'characters')}")
    draft = request.response_config.get("draft_text")
    if isinstance(draft, str):
        parts.append(f"a draft of {amount(len(draft), 'character', 'characters')}")
    return ", ".join(parts)


def _count(value: Any) -> int:
    if isinstance(value, dict):
        return sum(max(1, _count(inner)) for inner in cast("dict[str, Any]", value).values())
    if isinstance(value, list):
        return sum(max(1, _count(inner)) for inner in cast("list[Any]", value))
    return 1


def differences(entries: Sequence[dict[str, Any]]) -> list[Difference]:
    """Several changes as one: for each field the oldest and the newest, compared."""
    first: dict[str, Any] = {}
    last: dict[str, Any] = {}
    for entry in entries:
        for name, value in entry["before"].items():
            first.setdefault(name, value)
        last |= entry["after"]
    names = {"request_text": "Text", "priority": "Priority", "context": "Context", "timeout_at": "Deadline",
             "due_at": "Wanted by", "response_config": "Answers", "default_response": "Default"}  # fmt: skip
    return [
        Difference(label, compared(_as_text(name, first.get(name)), _as_text(name, last.get(name))))
        for name, label in names.items()
        if name in last and first.get(name) != last.get(name)
    ]


def _as_text(name: str, value: Any) -> str:
    if name in ("timeout_at", "due_at") and isinstance(value, str):
        return f"{datetime.fromisoformat(value).astimezone():%Y-%m-%d %H:%M:%S %Z}"
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def compared(old: str, new: str) -> list[tuple[str, str]]:
    """Two texts word by word."""
    if len(old) + len(new) > MAX_COMPARED:
        return [("old", old), ("same", "\n\n"), ("new", new)]
    before, after = (re.findall(r"\s+|[^\s]+", text) for text in (old, new))
    pieces: list[tuple[str, str]] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(("same", "".join(before[a:b])))
        else:
            pieces += [("old", "".join(before[a:b]))] if b > a else []
            pieces += [("new", "".join(after[c:d]))] if d > c else []
    return pieces


def default_words(request: ReviewRequest) -> str:
    """What happens when nobody answers."""
    if request.default_response is None:
        return "the agent is told that nobody decided; no answer is given"
    words = answer_words(config_of(request), request.default_response)
    return f"the agent is told that nobody decided, and the default stands: {words}"


def outcome_words(request: ReviewRequest, me: str) -> str:
    """How a request ended, in one line; empty while it is open."""
    match request.status:
        case Status.COMPLETED:
            who = "You" if request.response_by == me else person_name(request)
            return f"{who} decided" if request.kind is Kind.APPROVAL else f"{who} answered"
        case Status.TIMEOUT:
            return "Nobody answered in time"
        case Status.CANCELLED:
            return "Withdrawn by the agent"
        case _:
            return ""


def person_name(request: ReviewRequest) -> str:
    """Who answered."""
    return request.response_by_user.name if request.response_by_user is not None else "Somebody"


def closed_at(request: ReviewRequest) -> datetime:
    """When a request was closed."""
    return request.response_at or request.cancelled_at or request.timeout_at


def history_lines(
    request: ReviewRequest, history: Sequence[dict[str, Any]], names: dict[str, str]
) -> list[dict[str, Any]]:
    """The event log of a request in words, oldest first."""
    agent = request.user_agent or "The agent"
    lines: list[dict[str, Any]] = []
    for entry in history:
        actor = str(entry["actor"])
        who = names.get(actor.removeprefix("user:"), "Somebody") if actor.startswith("user:") else agent
        data = entry["data"]
        said = {
            "created": f"{agent} asked",
            "changed": f"{agent} changed it (revision {data.get('revision')})",
            "claimed": f"{who} claimed it",
            "released": f"{who} released it",
            "completed": f"{who} decided" if request.kind is Kind.APPROVAL else f"{who} answered",
            "timeout": "The deadline passed",
            "cancelled": f"{agent} withdrew it",
            "delivered": f"{agent} collected the result",
        }
        parts = differences([data]) if entry["type"] == "changed" else []
        lines.append({"at": entry["at"], "words": said.get(entry["type"], str(entry["type"])), "differences": parts})
    return lines


def kept(typed: Typed, request: ReviewRequest | None) -> list[tuple[str, str]]:
    """What was typed, to be shown where there is no form any more."""
    lines: list[tuple[str, str]] = []
    if any(typed.values):
        said = ", ".join(typed.values)
        if request is not None and len(typed.values) == 1:
            said = next((c.label for c in answer_form(request, None).choices if c.value == typed.value), said)
        lines.append(("Answer", said))
    config = None if request is None else config_of(request)
    titles = {key_of(of.name): of.title for of in config.fields} if isinstance(config, FormConfig) else {}
    lines += [(titles.get(key, "Answer"), ", ".join(values)) for key, values in typed.fields.items() if any(values)]
    if typed.comment:
        lines.append(("Comment", typed.comment))
    return lines


def media_links(item: ReviewRequest, own: OwnAddress) -> list[tuple[str, str, str | None, bool]]:
    """Kind, address and name of each file, video and audio, and whether it may be a link (H5, H16)."""
    media = item.media or {}
    links: list[tuple[str, str, str | None, bool]] = []
    for kind in ("file", "video", "audio"):
        urls = [media.get(f"{kind}_url"), *media.get(f"{kind}_urls", [])]
        names = [media.get(f"{kind}_name"), *media.get(f"{kind}_names", [])]
        for index, url in enumerate(urls):
            if url is not None:
                name = names[index] if index < len(names) else None
                links.append((kind.capitalize(), url, name, leads_to(url, own) is not None))
    return links
