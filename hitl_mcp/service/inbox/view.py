"""What the page of one request shows, worked out before any template runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hitl_mcp.contract.answers import (
    FormConfig,
    ResponseConfig,
    ResponseType,
    read_config,
)
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.states import Kind, Status
from hitl_mcp.service.inbox.comparing import Comparing, Pieces
from hitl_mcp.service.inbox.context import count
from hitl_mcp.service.inbox.controls import answer_form
from hitl_mcp.service.inbox.forms import Typed, key_of
from hitl_mcp.service.inbox.markdown import OwnAddress, leads_to
from hitl_mcp.service.inbox.texts import N_, _, ngettext
from hitl_mcp.service.inbox.words import DECISIONS, answer_words, characters, field_words
from hitl_mcp.service.lifecycle.holding import Held
from hitl_mcp.service.lifecycle.record import REVISING

_HAPPENED = {
    "created": N_("{who} asked"),
    "changed": N_("{who} changed it (revision {revision})"),
    "claimed": N_("{who} claimed it"),
    "released": N_("{who} released it"),
    "completed": N_("{who} answered"),
    "timeout": N_("The deadline passed"),
    "cancelled": N_("{who} withdrew it"),
    "delivered": N_("{who} collected the result"),
    "feedback": N_("{who} rated the answer"),
    "reassigned": N_("{who} handed it to {whom}"),
    "asked": N_("{who} asked the agent"),
    "answered_back": N_("{who} answered (revision {revision})"),
    "escalated": N_("Escalated to {loop}, as the loop's ladder says (revision {revision})"),
    "dropped": N_("Its texts were removed, because their time was over"),
}
"""What an entry of the log says to a person, by its type."""
_QUOTED = {"reassigned": "note", "asked": "question", "answered_back": "answer", "escalated": "reason"}
"""Which of its data are somebody's words."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of a change."""

    name: str
    pieces: Pieces


def config_of(request: ReviewRequest) -> ResponseConfig:
    """The typed configuration of a stored request."""
    return read_config(request.response_type, request.response_config)


def extent(request: ReviewRequest) -> str:
    """How much the agent says, so that nobody decides before the end of it (H16)."""
    context = dict(request.context or {})
    details = context.pop("details", "") if isinstance(context.get("details"), str) else ""
    parts = [_("{characters} of text").format(characters=characters(len(request.request_text) + len(details)))]
    if context:
        values = count(context)
        fields = ngettext("{count:,} context field", "{count:,} context fields", len(context)).format(
            count=len(context)
        )
        within = ngettext("{fields} with {count:,} value", "{fields} with {count:,} values", values)
        parts.append(within.format(fields=fields, count=values) if values > len(context) else fields)
    if request.response_type is ResponseType.FORM:
        fields = request.response_config.get("fields", [])
        letters = len(json.dumps(fields, ensure_ascii=False))
        form = ngettext(
            "a form of {count:,} field with {letters}", "a form of {count:,} fields with {letters}", len(fields)
        )
        parts.append(form.format(count=len(fields), letters=characters(letters)))
    draft = request.response_config.get("draft_text")
    if isinstance(draft, str):
        parts.append(_("a draft of {characters}").format(characters=characters(len(draft))))
    return ", ".join(parts)


def differences(entries: Sequence[dict[str, Any]], comparing: Comparing) -> list[Difference]:
    """Several changes as one: for each field the oldest and the newest, compared."""
    first: dict[str, Any] = {}
    last: dict[str, Any] = {}
    for entry in entries:
        for name, value in entry.get("before", {}).items():
            first.setdefault(name, value)
        last |= entry.get("after", {})
    names = {
        "loop": _("Loop"), "request_text": _("Text"), "priority": _("Priority"), "context": _("Context"),
        "timeout_at": _("Deadline"), "due_at": _("Wanted by"),
        "response_config": _("Answers"), "default_response": _("Default"),
    }  # fmt: skip
    return [
        Difference(label, comparing.compared(_as_text(name, first.get(name)), _as_text(name, last.get(name))))
        for name, label in names.items()
        if name in last and first.get(name) != last.get(name)
    ]


def _as_text(name: str, value: Any) -> str:
    if name in ("timeout_at", "due_at") and isinstance(value, str):
        return f"{datetime.fromisoformat(value).astimezone():%Y-%m-%d %H:%M:%S %Z}"
    if value is None:
        return _("none")
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def answer_of(item: ReviewRequest) -> str | None:
    """What a person answered, in words; nothing while it is open or when nobody did."""
    if item.status is not Status.COMPLETED:
        return None
    if item.kind is Kind.APPROVAL and item.response_data in DECISIONS:
        return _(DECISIONS[item.response_data])
    return answer_words(config_of(item), item.response_data)


def fields_of(item: ReviewRequest) -> list[tuple[str, str]]:
    """The answer of a form, field by field."""
    config = config_of(item)
    if item.status is Status.COMPLETED and isinstance(config, FormConfig):
        return field_words(config, item.response_data)
    return []


def default_words(request: ReviewRequest) -> str:
    """What happens when nobody answers."""
    if request.default_response is None:
        return _("the agent is told that nobody decided; no answer is given")
    words = answer_words(config_of(request), request.default_response)
    if request.kind is Kind.APPROVAL and request.default_response in DECISIONS:
        words = _(DECISIONS[request.default_response])
    return _("the agent is told that nobody decided, and the default stands: {default}").format(default=words)


def outcome_words(request: ReviewRequest, me: str) -> str:
    """How a request ended, in one line; empty while it is open."""
    match request.status:
        case Status.COMPLETED:
            if request.response_by == me:
                return _("You decided") if request.kind is Kind.APPROVAL else _("You answered")
            words = _("{who} decided") if request.kind is Kind.APPROVAL else _("{who} answered")
            return words.format(who=person_name(request))
        case Status.TIMEOUT:
            return _("Nobody answered in time")
        case Status.CANCELLED:
            return _("Withdrawn by the agent")
        case _:
            return ""


def person_name(request: ReviewRequest) -> str:
    """Who answered."""
    return request.response_by_user.name if request.response_by_user is not None else _("Somebody")


def closed_at(request: ReviewRequest) -> datetime:
    """When a request was closed."""
    return request.response_at or request.cancelled_at or request.timeout_at


def history_lines(
    request: ReviewRequest, history: Sequence[dict[str, Any]], names: dict[str, str], comparing: Comparing
) -> list[dict[str, Any]]:
    """The event log of a request in words, oldest first."""
    agent = request.user_agent or _("The agent")
    lines: list[dict[str, Any]] = []
    for entry in history:
        actor = str(entry["actor"])
        who = names.get(actor.removeprefix("user:"), _("Somebody")) if actor.startswith("user:") else agent
        data = entry["data"]
        kind = str(entry["type"])
        words = N_("{who} decided") if kind == "completed" and request.kind is Kind.APPROVAL else _HAPPENED.get(kind)
        if kind == "reassigned" and data.get("to") is None:
            words = N_("{who} gave it back to nobody in particular")
        if kind == "escalated" and actor.startswith("user:"):
            words = N_("{who} escalated it to {loop} (revision {revision})")
        whom = names.get(str(data.get("to")), _("Somebody"))
        whom = _("you") if whom == _("You") else whom
        said = (
            kind
            if words is None
            else _(words).format(who=who, revision=data.get("revision"), whom=whom, loop=data.get("to_loop_name"))
        )
        parts = differences([data], comparing) if kind in REVISING and "before" in data else []
        quoted = _QUOTED.get(kind)
        lines.append(
            {"at": entry["at"], "words": said, "differences": parts, "said": data.get(quoted) if quoted else None}
        )
    return lines


def people_in(history: Sequence[dict[str, Any]]) -> set[str]:
    """The ids of everybody whom the event log of a request names."""
    found = {str(entry["actor"]).removeprefix("user:") for entry in history if str(entry["actor"]).startswith("user:")}
    return found | {str(entry["data"]["to"]) for entry in history if entry["type"] == "reassigned"}


def held_words(item: ReviewRequest, held: Held) -> dict[str, Any]:
    """A person's own answer while it can be taken back."""
    answered = item.model_copy(update={"status": Status.COMPLETED, "response_data": held.given.value})
    return {"answer": answer_of(answered), "comment": held.given.comment, "until": held.until}


def kept(typed: Typed, request: ReviewRequest | None) -> list[tuple[str, str]]:
    """What was typed, to be shown where there is no form any more."""
    lines: list[tuple[str, str]] = []
    if any(typed.values):
        said = ", ".join(typed.values)
        if request is not None and len(typed.values) == 1:
            said = next((c.label for c in answer_form(request, None).choices if c.value == typed.value), said)
        lines.append((_("Answer"), said))
    config = None if request is None else config_of(request)
    titles = {key_of(of.name): of.title for of in config.fields} if isinstance(config, FormConfig) else {}
    lines += [(titles.get(key, _("Answer")), ", ".join(values)) for key, values in typed.fields.items() if any(values)]
    if typed.comment:
        lines.append((_("Comment"), typed.comment))
    return lines


def media_links(item: ReviewRequest, own: OwnAddress) -> list[tuple[str, str, str | None, bool]]:
    """Kind, address and name of each file, video and audio, and whether it may be a link (H5, H16)."""
    media = item.media or {}
    links: list[tuple[str, str, str | None, bool]] = []
    for kind, label in (("file", _("File")), ("video", _("Video")), ("audio", _("Audio"))):
        urls = [media.get(f"{kind}_url"), *media.get(f"{kind}_urls", [])]
        names = [media.get(f"{kind}_name"), *media.get(f"{kind}_names", [])]
        for index, url in enumerate(urls):
            if url is not None:
                name = names[index] if index < len(names) else None
                links.append((label, url, name, leads_to(url, own) is not None))
    return links
