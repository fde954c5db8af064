"""Approvals on a cloud that knows none: how one is asked for there, and how it is known again (H6, H33).

An approval goes out as a select with our three options, and every question with a random marker in its `context`. What
comes back is an approval only where marker and options are ours; everything else stays a question, which can never be
approved.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, cast

from hitl_mcp.contract.first_generation import decision_word
from hitl_mcp.contract.outcome import APPROVAL_CONFIG
from hitl_mcp.contract.states import Kind

REF = "hitl_mcp_ref"
"""The key in `context` that holds the marker."""
_OPTIONS: list[dict[str, str]] = APPROVAL_CONFIG["options"]
SENT_OPTIONS = [option["label"] for option in _OPTIONS]
SENT_DEFAULT = "Reject"
_MARKER = re.compile(r"(approval|question)-[0-9a-f]{32}")
_SHOWN_ALIKE = {"value", "label", "color"}


def new_marker(kind: Kind) -> str:
    """A marker nobody can guess, that says what was asked for."""
    return f"{kind.value}-{secrets.token_hex(16)}"


def marker_of(context: object) -> str | None:
    """The marker in a request's context."""
    found = cast("dict[str, Any]", context).get(REF) if isinstance(context, dict) else None
    return found if isinstance(found, str) and _MARKER.fullmatch(found) else None


def without_marker(context: object) -> dict[str, Any] | None:
    """The context as the caller gave it."""
    if not isinstance(context, dict):
        return None
    return {name: value for name, value in cast("dict[str, Any]", context).items() if name != REF} or None


def is_approval(marker: str | None, response_type: object, config: object) -> bool:
    """Whether what the cloud echoes is an approval of ours: marked as one, with exactly our options in our order."""
    if marker is None or not marker.startswith(Kind.APPROVAL.value) or response_type != "single_select":
        return False
    options = cast("dict[str, Any]", config).get("options") if isinstance(config, dict) else None
    if not isinstance(options, list):
        return False
    given = cast("list[Any]", options)
    return len(given) == len(_OPTIONS) and all(_same(*pair) for pair in zip(given, _OPTIONS, strict=True))


def _same(given: object, ours: Mapping[str, str]) -> bool:
    if isinstance(given, str):
        return decision_word(given) == decision_word(ours["label"])
    if not isinstance(given, dict):
        return False
    option = cast("dict[str, Any]", given)
    if any(value for name, value in option.items() if name not in _SHOWN_ALIKE):
        return False  # a description could say something else than the label
    value, label = option.get("value"), option.get("label", option.get("value"))
    return (
        isinstance(value, str)
        and isinstance(label, str)
        and (decision_word(value) == decision_word(label) == decision_word(ours["label"]))
    )
