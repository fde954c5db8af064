"""What the page of one request shows, worked out before any template runs."""

from __future__ import annotations

import colorsys
import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from hitl_mcp.contract.answers import (
    BooleanConfig,
    EditableTextConfig,
    MultiSelectConfig,
    NumberConfig,
    Option,
    RatingConfig,
    ResponseConfig,
    SingleSelectConfig,
    TextConfig,
    read_config,
    slug,
)
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.states import Kind, Status
from hitl_mcp.service.inbox.forms import Typed
from hitl_mcp.service.inbox.markdown import OwnAddress, Rendered, invisible_in, leads_to, render
from hitl_mcp.service.inbox.words import amount, answer_words

MAX_SCALE = 11
MAX_VALUES = 400
MAX_COMPARED = 4_000
_NO_ANSWER = Typed(0, (), "")


@dataclass(frozen=True, slots=True)
class Context:
    """The agent's context. `raw` stands for `rest` when that is too much for a table."""

    details: Rendered | None
    rest: dict[str, Any]
    raw: str | None


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to choose. `receives`: what the agent gets, where the label does not say it (H6)."""

    value: str
    label: str
    description: str | None = None
    tone: str = ""
    receives: str | None = None
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """The form of one response type; `part` names its template."""

    part: str
    choices: Sequence[Choice] = ()
    hint: str = ""
    value: str = ""
    required: bool = True
    limits: dict[str, str] = field(default_factory=dict[str, str])
    placeholder: str = ""
    prefix: str = ""
    suffix: str = ""
    invisible: Sequence[str] = ()


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


def tone(color: str | None) -> str:
    """A colour of the configuration as the name of a style class: pages have no inline styles."""
    if color is None:
        return ""
    digits = color[1:] if len(color) == 7 else "".join(char * 2 for char in color[1:])
    red, green, blue = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    if saturation < 0.2 or not 0.08 < light < 0.94:
        return "grey"
    names = ((20, "red"), (68, "amber"), (170, "green"), (255, "blue"), (325, "purple"), (361, "red"))
    return next(name for limit, name in names if hue * 360 < limit)


def answer_form(request: ReviewRequest, typed: Typed | None) -> AnswerForm:
    """The form of a request's response type, with what was typed before."""
    config = config_of(request)
    before = typed or _NO_ANSWER
    match config:
        case SingleSelectConfig():
            choices = _choices(config.options, before)
            if request.kind is Kind.APPROVAL:
                return AnswerForm("buttons", choices)
            return AnswerForm("single", choices, "Offered by the agent.")
        case MultiSelectConfig():
            least = max(config.min_selections, 1 if config.required else 0)
            return AnswerForm("multi", _choices(config.options, before), _how_many(least, config.max_selections))
        case BooleanConfig():
            pair = (("true", config.true_label, config.true_color), ("false", config.false_label, config.false_color))
            said = {"true": {"true", "yes"}, "false": {"false", "no"}}
            choices = [
                Choice(
                    value, label, tone=tone(color), chosen=value in before.values,
                    receives=None if slug(label) in said[value] else value,
                )
                for value, label, color in pair
            ]  # fmt: skip
            return AnswerForm("buttons", choices, "The wording of the buttons was chosen by the agent.")
        case RatingConfig():
            return _scale(config, before)
        case NumberConfig():
            return _number(config, before)
        case EditableTextConfig():
            return _written(config, before.value if typed else config.draft_text, invisible_in(config.draft_text))
        case TextConfig():
            return _written(config, before.value, ())


def _choices(options: Sequence[Option], before: Typed) -> list[Choice]:
    return [
        Choice(
            option.value, option.label, option.description, tone(option.color), chosen=option.value in before.values,
            receives=None if slug(option.label) == slug(option.value) else option.value,
        )
        for option in options
    ]  # fmt: skip


def _how_many(least: int, most: int | None) -> str:
    offered = "Offered by the agent. "
    if most is None:
        return offered + (f"Choose at least {least}." if least else "Choose any number of them, or none.")
    if least == most:
        return offered + f"Choose exactly {least}."
    return offered + (f"Choose between {least} and {most}." if least else f"Choose up to {most}, or none.")


def _scale(config: RatingConfig, before: Typed) -> AnswerForm:
    low, high, step = (Decimal(str(value)) for value in (config.scale_min, config.scale_max, config.scale_step))
    steps = int((high - low) / step) + 1
    named = config.labels or {}
    if steps > MAX_SCALE:
        limits = {"min": _plain(low), "max": _plain(high), "step": _plain(step)}
        hint = f"From {_plain(low)} to {_plain(high)}" + ("" if step == 1 else f", in steps of {_plain(step)}") + "."
        told = "; ".join(f"{key}: {text}" for key, text in named.items())
        return AnswerForm("number", hint=f"{hint} {told}".strip(), value=before.value, limits=limits)
    values = [_plain(low + step * index) for index in range(steps)]
    ends = {values[0]: named.get("min"), values[-1]: named.get("max")}
    choices = [
        Choice(value, value, named.get(value) or ends.get(value), chosen=value in before.values) for value in values
    ]
    return AnswerForm("scale", choices, f"From {values[0]} to {values[-1]}.")


def _number(config: NumberConfig, before: Typed) -> AnswerForm:
    step = Decimal(1).scaleb(-config.decimal_places)
    low, high = Decimal(str(config.min_value)), Decimal(str(config.max_value))
    if not config.allow_negative:
        low = max(low, Decimal(0))
    # a browser counts steps from the minimum; where that is off the grid it would refuse what is allowed
    limits = {"min": _plain(low), "max": _plain(high), "step": _plain(step) if low % step == 0 else "any"}
    places = "whole numbers only" if not config.decimal_places else (
        "up to " + amount(config.decimal_places, "decimal place", "decimal places")
    )  # fmt: skip
    return AnswerForm(
        "number", hint=f"Between {_plain(low)} and {_plain(high)}, {places}.", value=before.value, limits=limits,
        placeholder=config.placeholder or "", prefix=config.prefix or "", suffix=config.suffix or "",
    )  # fmt: skip


def _plain(value: Decimal) -> str:
    return format(value.normalize() + 0, "f")


def _written(config: TextConfig | EditableTextConfig, value: str, invisible: Sequence[str]) -> AnswerForm:
    limits = {"data-max": str(config.max_length)}
    # browsers count some characters twice; where the text holds such, only the counter and the service judge
    if not any(ord(char) > 0xFFFF for char in value):
        limits["maxlength"] = str(config.max_length)
        if config.min_length:
            limits["minlength"] = str(config.min_length)
    hint = f"At most {amount(config.max_length, 'character', 'characters')}"
    if config.min_length:
        hint = f"Between {config.min_length:,} and {amount(config.max_length, 'character', 'characters')}"
    required = config.required or config.min_length > 0
    return AnswerForm(
        "text" if isinstance(config, TextConfig) else "draft", hint=hint + ("." if required else "; may stay empty."),
        value=value, limits=limits, required=required, placeholder=config.placeholder or "", invisible=invisible,
    )  # fmt: skip


def differences(entries: Sequence[dict[str, Any]]) -> list[Difference]:
    """Several changes as one: for each field the oldest and the newest, compared."""
    first: dict[str, Any] = {}
    last: dict[str, Any] = {}
    for entry in entries:
        for name, value in entry["before"].items():
            first.setdefault(name, value)
        last |= entry["after"]
    names = {"request_text": "Text", "priority": "Priority", "context": "Context", "timeout_at": "Deadline",
             "response_config": "Answers", "default_response": "Default"}  # fmt: skip
    return [
        Difference(label, compared(_as_text(name, first.get(name)), _as_text(name, last.get(name))))
        for name, label in names.items()
        if name in last and first.get(name) != last.get(name)
    ]


def _as_text(name: str, value: Any) -> str:
    if name == "timeout_at" and isinstance(value, str):
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
