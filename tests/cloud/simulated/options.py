"""Options of a select: as sent, generated values, and which one somebody means (3.2)."""

from __future__ import annotations

from typing import Any, cast

from tests.cloud.simulated.wire import Json

MOST = 20
LONGEST_VALUE, LONGEST_LABEL = 100, 200


def slug(text: str) -> str:
    """The generated value of an option text: lower case, spaces to underscores; nothing is said of punctuation."""
    return text.lower().replace(" ", "_")


def value_of(option: Any) -> str:
    """What an answer carries: the text as sent, or the option's own `value`."""
    return option if isinstance(option, str) else option["value"]


def label_of(option: Any) -> str:
    """What a reader sees."""
    return option if isinstance(option, str) else option["label"]


def find(options: list[Any], meant: Any) -> Any:
    """The option that a value, a label or a generated value names, or None."""
    for option in options:
        if meant in (value_of(option), label_of(option), slug(label_of(option))):
            return option
    return None


def echoed(option: Any, *, slugged: bool) -> Any:
    """An option in a request that is read."""
    return {"value": slug(option), "label": option} if slugged and isinstance(option, str) else option


def answered(options: list[Any], value: str, *, slugged: bool) -> str:
    """The option with this value, in `response_data`."""
    return slug(value) if slugged and value in options else value


def fault_of(config: Json) -> str | None:
    """What is wrong with the options of a config, or None (3.3)."""
    given = config.get("options")
    if not isinstance(given, list) or not given:
        return "options array required for select response type"
    options = cast(list[Any], given)
    if len(options) > MOST:
        return f"options must have at most {MOST} entries"
    if not all(_well_formed(option) for option in options):
        return "each option must be a string or an object with value and label"
    return None


def _well_formed(option: Any) -> bool:
    if isinstance(option, dict):
        fields = cast(Json, option)
        value, label = fields.get("value"), fields.get("label")
        return (
            isinstance(value, str) and 1 <= len(value) <= LONGEST_VALUE
            and isinstance(label, str) and 1 <= len(label) <= LONGEST_LABEL
        )  # fmt: skip
    return isinstance(option, str) and 1 <= len(option) <= LONGEST_LABEL
