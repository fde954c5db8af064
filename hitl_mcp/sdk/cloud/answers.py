"""A person's answer as the cloud may write it: bare, or as an object of the older pages (contract 3.1, 3.3).

Read into the form that our own service gives it, by the one validator of answers. What does not fit is unreadable.
"""

from __future__ import annotations

from typing import Any, cast

from hitl_mcp.contract.answers import ResponseConfig, ResponseType, check_answer, read_config
from hitl_mcp.errors import AnswerRejected

_WRAPPED = {
    ResponseType.SINGLE_SELECT: ("selected_value", "selected_label"),
    ResponseType.MULTI_SELECT: ("selected_values", None),
    ResponseType.RATING: ("rating", None),
    ResponseType.NUMBER: ("number", None),
    ResponseType.BOOLEAN: ("boolean", None),
}
_LOWEST = -1e15


class Unreadable(Exception):
    """What came is no answer to what was asked."""


def read_answer(response_type: ResponseType, config: object, raw: object) -> Any:
    """The answer. Raises: Unreadable.

    Args:
        config: `response_config` as the caller sent it, or as it is echoed.
        raw: `response_data`.
    """
    try:
        typed = read_config(response_type, _as_lenient_as_the_cloud(response_type, config))
        return _fitting(typed, *_unwrapped(response_type, raw))
    except (AnswerRejected, ValueError, TypeError) as fault:
        raise Unreadable(str(fault)) from None


def as_sent(config: object, echoed: object) -> dict[str, Any]:
    """The configuration to show and to answer by.

    The cloud may turn option texts into `{value, label}` (contract 3.2). They become texts again, so that an answer
    reads as it was asked.

    Args:
        config: what the caller sent, where it is known.
    """
    if isinstance(config, dict):
        return cast("dict[str, Any]", config)
    shown = dict(cast("dict[str, Any]", echoed)) if isinstance(echoed, dict) else {}
    options = shown.get("options")
    if isinstance(options, list) and options and all(_generated(one) for one in cast("list[Any]", options)):
        shown["options"] = [one["label"] for one in cast("list[dict[str, str]]", options)]
    return shown


def _generated(option: object) -> bool:
    if not isinstance(option, dict):
        return False
    fields = cast("dict[str, Any]", option)
    value, label = fields.get("value"), fields.get("label")
    return fields.keys() <= {"value", "label"} and isinstance(label, str) and value == label.lower().replace(" ", "_")


def _unwrapped(response_type: ResponseType, raw: object) -> tuple[object, object]:
    """The bare answer, and the label that came with it."""
    if not isinstance(raw, dict) or response_type not in _WRAPPED:
        return cast("object", raw), None
    wrapped = cast("dict[str, Any]", raw)
    name, label = _WRAPPED[response_type]
    if name not in wrapped:
        raise Unreadable(f"there is no {name} in it")
    return wrapped[name], wrapped.get(label) if label else None


def _fitting(config: ResponseConfig, raw: object, label: object) -> Any:
    answer = check_answer(config, raw)
    if label is not None and (not isinstance(label, str) or check_answer(config, label) != answer):
        raise Unreadable("value and label name different options")
    return answer


def _as_lenient_as_the_cloud(response_type: ResponseType, config: object) -> object:
    """The cloud's pages differ on the least number when nothing is said (1, or 0); it has checked the answer itself."""
    if response_type is not ResponseType.NUMBER or not isinstance(config, dict):
        return config
    given = cast("dict[str, Any]", config)
    if "min_value" in given or "min" in given:
        return given
    return {**given, "min_value": _LOWEST if given.get("allow_negative") else 0}


def default_of(response_type: ResponseType, config: object, raw: object) -> Any:
    """The default response, in the form of an answer where it can be read, else as it is."""
    try:
        return read_answer(response_type, config, raw)
    except Unreadable:
        return raw
