"""The agent's context, in the parts in which a person reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.service.inbox.characters import deceives
from hitl_mcp.service.inbox.markdown import OwnAddress, Rendered, render
from hitl_mcp.service.inbox.texts import _, ngettext
from hitl_mcp.service.inbox.words import number

MAX_VALUES = 400
"""More are shown as the text of their JSON, so that a page stays readable and quick."""
FOLDED_FROM = 12
"""A branch with so many values is folded, where the whole has more than twice as many."""
_CONFIDENCE = ("confidence", "ai_confidence", "confidence_score")
_RISK = ("risk", "ai_risk", "risk_score", "risk_level")


@dataclass(frozen=True, slots=True)
class Claim:
    """What an agent says of its own work. `share` is from 0 to 1, where it is a figure."""

    name: str
    words: str
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """The agent's context.

    Attributes:
        claims: its confidence, risk and flags.
        raw: stands for `rest` when that is too much for a table.
        fold_from: branches with so many values are folded.
    """

    details: Rendered | None
    rest: dict[str, Any]
    raw: str | None
    claims: list[Claim] = field(default_factory=list[Claim])
    fold_from: int = MAX_VALUES


def context_of(request: ReviewRequest, own: OwnAddress) -> Context:
    """The context in the parts in which it is shown. Everything is in one of them."""
    rest = dict(request.context or {})
    details = rest.get("details")
    shown = None
    if isinstance(details, str):
        del rest["details"]
        shown = render(details, own)
    claims = _claims(rest)
    values = count(rest)
    raw = json.dumps(rest, indent=2, ensure_ascii=False) if values > MAX_VALUES else None
    return Context(shown, rest, raw, claims, FOLDED_FROM if values > 2 * FOLDED_FROM else MAX_VALUES)


def _claims(rest: dict[str, Any]) -> list[Claim]:
    """Takes what can be said whole in a sentence out of `rest`; what stands deeper is said, and stays."""
    found: list[Claim] = []
    inner = rest.get("ai_analysis")
    for where in (rest, cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}):
        for name in list(where):
            claim = _claim(name, where[name])
            if claim is not None:
                found.append(claim)
                if where is rest:
                    del rest[name]
    return found


def _claim(name: str, value: Any) -> Claim | None:
    if name in _CONFIDENCE and (said := _figure(value)) is not None:
        words = _("The agent says its confidence is {value}").format(value=said[0])
        return Claim(_("Confidence"), words, said[1])
    if name in _RISK and (said := _figure(value)) is not None:
        return Claim(_("Risk"), _("The agent says the risk is {value}").format(value=said[0]), said[1])
    if name == "flags" and isinstance(value, list):
        flags = cast("list[Any]", value)
        if flags and all(isinstance(flag, str) and flag for flag in flags):
            said_flags = ", ".join(cast("list[str]", flags))
            words = ngettext("The agent raises a flag: {flags}", "The agent raises flags: {flags}", len(flags))
            return Claim(_("Flags"), words.replace("{flags}", said_flags))
    return None


def _figure(value: Any) -> tuple[str, float | None] | None:
    """A figure as it was given, and as a share: up to 1 as it is, up to 100 as per cent."""
    if isinstance(value, str) and 0 < len(value) <= 100:
        return value, None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    share = value if 0 <= value <= 1 else value / 100 if 1 < value <= 100 else None
    return number(value), share


def count(value: Any) -> int:
    """How many values there are in a value; an empty branch is one."""
    if isinstance(value, dict):
        return sum(max(1, count(inner)) for inner in cast("dict[str, Any]", value).values())
    if isinstance(value, list):
        return sum(max(1, count(inner)) for inner in cast("list[Any]", value))
    return 1


def is_marked(request: ReviewRequest) -> bool:
    """Whether something of what the agent says is marked where it is shown."""
    said = [request.request_text, request.user_agent or "", json.dumps(request.context, ensure_ascii=False)]
    return any(deceives(text.replace("\\n", " ")) for text in said)
