"""The one validator: whether a value fits its configuration, and the form in which it is kept."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, cast

from hitl_mcp.contract.configs import (
    BooleanConfig,
    EditableTextConfig,
    EmailConfig,
    MomentConfig,
    MultiSelectConfig,
    NumberConfig,
    RatingConfig,
    SelectConfig,
    SingleSelectConfig,
    TextBounds,
    TextConfig,
    ValueConfig,
)
from hitl_mcp.errors import AnswerRejected

EditedText = dict[Literal["revised_text", "was_edited"], Any]


def check_value(config: ValueConfig, answer: Any, field: str) -> Any:
    """The answer in the form in which it is stored and reported.

    Args:
        config: the typed configuration from `read_config`.
        answer: what came in; a select may be named by value, label or slug.
        field: the name used in the error.

    Raises: AnswerRejected when the configuration does not allow it.
    """
    match config:
        case SingleSelectConfig():
            return _one(config, answer, field)
        case MultiSelectConfig():
            return _several(config, answer, field)
        case RatingConfig():
            return _rating(config, answer, field)
        case NumberConfig():
            return _number(config, answer, field)
        case BooleanConfig():
            if not isinstance(answer, bool):
                raise AnswerRejected(field, "must be true or false")
            return answer
        case EditableTextConfig():
            return _edited(config, answer, field)
        case EmailConfig():
            return _email(_text(config, answer, field), field)
        case MomentConfig():
            return _moment(_text(config, answer, field), field)
        case TextConfig():
            return _text(config, answer, field)


def _one(config: SelectConfig, answer: Any, field: str) -> str:
    value = config.find(answer)
    if value is None:
        raise AnswerRejected(field, f"must be one of {[o.value for o in config.options]}")
    return value


def _several(config: MultiSelectConfig, answer: Any, field: str) -> list[str]:
    if isinstance(answer, str):  # the create-request page shows a single option string as a default
        answer = [answer]
    if not isinstance(answer, list):
        raise AnswerRejected(field, "must be a list of options")
    values = [_one(config, item, field) for item in cast("list[Any]", answer)]
    if len(set(values)) != len(values):
        raise AnswerRejected(field, "must not name an option twice")
    least = max(config.min_selections, 1 if config.required else 0)
    if len(values) < least:
        raise AnswerRejected(field, f"must name at least {least} of the options")
    if config.max_selections is not None and len(values) > config.max_selections:
        raise AnswerRejected(field, f"must name at most {config.max_selections} of the options")
    return values


def _finite(answer: Any, field: str) -> float | int:
    # bool is an int in Python; a yes must never pass for a 1
    if isinstance(answer, bool) or not isinstance(answer, int | float) or not -math.inf < answer < math.inf:
        raise AnswerRejected(field, "must be a number")
    return int(answer) if isinstance(answer, float) and answer.is_integer() else answer


def _within(value: float, low: float, high: float, field: str) -> None:
    if not low <= value <= high:
        raise AnswerRejected(field, f"must be between {low:g} and {high:g}")


def _rating(config: RatingConfig, answer: Any, field: str) -> float | int:
    value = _finite(answer, field)
    _within(value, config.scale_min, config.scale_max, field)
    steps = (Decimal(str(value)) - Decimal(str(config.scale_min))) / Decimal(str(config.scale_step))
    if abs(steps - round(steps)) > Decimal("1e-9"):
        raise AnswerRejected(field, f"must be {config.scale_min:g} plus a multiple of {config.scale_step:g}")
    return value


def _number(config: NumberConfig, answer: Any, field: str) -> float | int:
    value = _finite(answer, field)
    if value < 0 and not config.allow_negative:
        raise AnswerRejected(field, "must not be negative")
    _within(value, config.min_value, config.max_value, field)
    exponent = Decimal(str(value)).normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > config.decimal_places:
        raise AnswerRejected(field, f"must have at most {config.decimal_places} decimal places")
    return value


def _text(config: TextBounds, answer: Any, field: str) -> str:
    if not isinstance(answer, str):
        raise AnswerRejected(field, "must be text")
    if config.required and not answer.strip():
        raise AnswerRejected(field, "must not be empty")
    if not config.min_length <= len(answer) <= config.max_length:
        raise AnswerRejected(
            field, f"must have between {config.min_length} and {config.max_length} characters, has {len(answer)}"
        )
    return answer


def _edited(config: EditableTextConfig, answer: Any, field: str) -> EditedText:
    if isinstance(answer, dict):
        answer = cast("dict[str, Any]", answer).get("revised_text")
    text = _text(config, answer, field)
    return {"revised_text": text, "was_edited": text != config.draft_text}


def _email(text: str, field: str) -> str:
    name, at, host = text.strip().rpartition("@")
    if not (name and at and "." in host) or any(c.isspace() or c in '<>",;' for c in name + host):
        raise AnswerRejected(field, "must be an e-mail address, like ada@example.com")
    return text.strip()


def _moment(text: str, field: str) -> str:
    try:
        at = datetime.fromisoformat(text.strip())
        known = at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        known = None
    if known is None or not 1900 <= known.year < 9000:  # further out no zone can be applied to it
        raise AnswerRejected(field, "must be a time with its zone, like 2026-03-02T09:30:00Z")
    return known.isoformat().replace("+00:00", "Z")
