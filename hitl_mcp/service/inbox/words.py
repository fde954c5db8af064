"""Moments, first lines and answers in words for a person."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
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
from hitl_mcp.service.inbox.texts import N_, _, ngettext

_CHANNELS = {
    Channel.INBOX: N_("in the inbox"),
    Channel.TERMINAL: N_("in a terminal"),
    Channel.CLIENT: N_("in the agent's own program, which this service cannot check"),
}
FIRST_LINE = 160
_MONTHS = (
    N_("January"), N_("February"), N_("March"), N_("April"), N_("May"), N_("June"), N_("July"), N_("August"),
    N_("September"), N_("October"), N_("November"), N_("December"),
)  # fmt: skip
_SHORT = (
    N_("Jan"), N_("Feb"), N_("Mar"), N_("Apr"), N_("May"), N_("Jun"), N_("Jul"), N_("Aug"), N_("Sep"), N_("Oct"),
    N_("Nov"), N_("Dec"),
)  # fmt: skip


def where(channel: Channel | None) -> str | None:
    """Where an answer was given; None where nobody knows."""
    return None if channel is None or channel not in _CHANNELS else _(_CHANNELS[channel])


def when(at: datetime, now: datetime) -> str:
    """A moment as the machine's own clock shows it; its day only when that is not today."""
    here, today = at.astimezone(), now.astimezone()
    if here.date() == today.date():
        return _("today, {time}").format(time=f"{here:%H:%M}")
    month = _(_MONTHS[here.month - 1])
    if here.year == today.year:
        return _("{day} {month}, {time}").format(day=here.day, month=month, time=f"{here:%H:%M}")
    return _("{day} {month} {year}, {time}").format(day=here.day, month=month, year=here.year, time=f"{here:%H:%M}")


def day(of: date) -> str:
    """A day without its year, short enough for a plot: `17 Oct`."""
    return _("{day} {month}").format(day=of.day, month=_(_SHORT[of.month - 1]))


def exactly(at: datetime) -> str:
    """A moment with its time zone."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def left(at: datetime, now: datetime) -> str:
    """How long until a moment, or since. `countdown.js` says it in the same words."""
    seconds = int((at - now).total_seconds())
    words = span(abs(seconds))
    return (_("in {span}") if seconds > 0 else _("{span} ago")).format(span=words)


def span(seconds: int) -> str:
    """A length of time in words: `4 min 5 s`, `3 h 20 min`, `2 days`."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if seconds < 60:
        return _("{seconds} s").format(seconds=seconds)
    if minutes < 5:
        return _("{minutes} min {seconds} s").format(minutes=minutes, seconds=seconds % 60)
    if hours < 1:
        return _("{minutes} min").format(minutes=minutes)
    if hours < 10:
        return _("{hours} h {minutes} min").format(hours=hours, minutes=minutes % 60)
    return _("{hours} h").format(hours=hours) if days < 2 else _("{days} days").format(days=days)


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
    return _("(no words)")


def characters(count: int) -> str:
    """`1,240 characters`."""
    return ngettext("{count} character", "{count} characters", count).format(count=f"{count:,}")


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
            return ", ".join(_label(config, item) for item in chosen) or _("none of them")
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


DECISIONS = {"approve": N_("Approve"), "reject": N_("Reject"), "needs_changes": N_("Needs Changes")}
"""The server's own options of an approval, as a person reads them."""


def field_words(config: FormConfig, value: Any) -> list[tuple[str, str]]:
    """A form's answer, field by field: what the person read there, and what they said."""
    given = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    return [
        (of.title, _("no answer") if (said := given.get(of.name)) is None else answer_words(of, said))
        for of in config.answerable
    ]


def _figure(value: Any) -> str:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _label(config: SingleSelectConfig | MultiSelectConfig, value: Any) -> str:
    return next((option.label for option in config.options if option.value == value), str(value))
