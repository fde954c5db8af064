"""Moments, first lines and answers in words for a person."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, cast

from hitl_mcp.contract.answers import (
    BooleanConfig,
    EditableTextConfig,
    FormConfig,
    MultiSelectConfig,
    NumberConfig,
    ResponseConfig,
    SingleSelectConfig,
)
from hitl_mcp.contract.configs import MomentConfig
from hitl_mcp.contract.states import Channel
from hitl_mcp.service.inbox.markdown import plain

CHANNELS = {
    Channel.INBOX: "in the inbox",
    Channel.TERMINAL: "in a terminal",
    Channel.CLIENT: "in the agent's own program, which this service cannot check",
}
FIRST_LINE = 160


def when(at: datetime, now: datetime) -> str:
    """A moment as the machine's own clock shows it; its day only when that is not today."""
    here, today = at.astimezone(), now.astimezone()
    if here.date() == today.date():
        return f"today, {here:%H:%M}"
    month = f"{here:%B}" if here.year == today.year else f"{here:%B %Y}"
    return f"{here.day} {month}, {here:%H:%M}"


def exactly(at: datetime) -> str:
    """A moment with its time zone."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def left(at: datetime, now: datetime) -> str:
    """How long until a moment, or since. `countdown.js` says it in the same words."""
    seconds = int((at - now).total_seconds())
    words = _span(abs(seconds))
    return f"in {words}" if seconds > 0 else f"{words} ago"


def _span(seconds: int) -> str:
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if seconds < 60:
        return f"{seconds} s"
    if minutes < 5:
        return f"{minutes} min {seconds % 60} s"
    if hours < 1:
        return f"{minutes} min"
    if hours < 10:
        return f"{hours} h {minutes % 60} min"
    return f"{hours} h" if days < 2 else f"{days} days"


def iso(at: datetime) -> str:
    """For the `datetime` attribute."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def first_line(text: str) -> str:
    """The question's first line without its Markdown marks."""
    for line in text.splitlines():
        bare = re.sub(r"^[\s#>*+-]+|\*\*|__|`|[\s#]+$", "", line)
        if bare:
            words = plain(bare)
            return words if len(words) <= FIRST_LINE else words[: FIRST_LINE - 1].rstrip() + "…"
    return "(no words)"


def amount(count: int, one: str, many: str) -> str:
    """`1 field`, `1,240 characters`."""
    return f"{count:,} {one if count == 1 else many}"


def number(value: float) -> str:
    """A number without a needless fraction or exponent."""
    text = f"{value:.10f}".rstrip("0").rstrip(".")
    return text if text not in ("", "-0") else "0"


def answer_words(config: ResponseConfig, value: Any) -> str:
    """An answer or a default as the person who reads it would say it."""
    match config:
        case FormConfig():
            return "; ".join(f"{title}: {said}" for title, said in field_words(config, value))
        case SingleSelectConfig():
            return _label(config, value)
        case MultiSelectConfig():
            chosen = cast("list[Any]", value) if isinstance(value, list) else [value]
            return ", ".join(_label(config, item) for item in chosen) or "none of them"
        case BooleanConfig():
            return {True: config.true_label, False: config.false_label}.get(value, str(value))
        case NumberConfig():
            return f"{config.prefix or ''}{_figure(value)}{' ' + config.suffix if config.suffix else ''}"
        case EditableTextConfig():
            return str(cast("dict[str, Any]", value).get("revised_text", "")) if isinstance(value, dict) else str(value)
        case MomentConfig():
            return exactly(datetime.fromisoformat(str(value)))
        case _:
            return _figure(value)


def field_words(config: FormConfig, value: Any) -> list[tuple[str, str]]:
    """A form's answer, field by field: what the person read there, and what they said."""
    given = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    return [
        (of.title, "no answer" if (said := given.get(of.name)) is None else answer_words(of, said))
        for of in config.answerable
    ]


def _figure(value: Any) -> str:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _label(config: SingleSelectConfig | MultiSelectConfig, value: Any) -> str:
    return next((option.label for option in config.options if option.value == value), str(value))
