"""A question as the form of an MCP client's own dialog, where the elicitation schema can say it.

The schema is flat and poor (MCP 2025-11-25, elicitation). Titles of options and lists of them came with that revision;
before it an option's label stands in `enumNames`. A yes or no is a choice between its two labels: a box that was never
touched must not come back as a no.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hitl_mcp.contract.answers import (
    BooleanConfig,
    EditableTextConfig,
    MultiSelectConfig,
    NumberConfig,
    RatingConfig,
    ResponseConfig,
    SingleSelectConfig,
    TextConfig,
    read_config,
)
from hitl_mcp.contract.models import MAX_COMMENT, ReviewRequest

TITLED = "2025-11-25"
MAX_MESSAGE = 6_000
"""What is longer cannot be judged in a dialog; it is read in the inbox."""
ANSWER, COMMENT = "answer", "comment"
_YES, _NO = "yes", "no"
_Schema = dict[str, Any]


def schema_of(request: ReviewRequest, version: str) -> _Schema | None:
    """The form's schema; None where the client's protocol cannot say it.

    Args:
        version: of the protocol.
    """
    config = read_config(request.response_type, request.response_config)
    field = _field(config, titled=version >= TITLED)
    if field is None:
        return None
    comment = {"type": "string", "title": "Comment", "description": "Optional", "maxLength": MAX_COMMENT}
    field = {"title": "Answer", **field}
    return {"type": "object", "properties": {ANSWER: field, COMMENT: comment}, "required": [ANSWER]}


def _field(config: ResponseConfig, *, titled: bool) -> _Schema | None:
    match config:
        case SingleSelectConfig():
            return _choice([(option.value, option.label) for option in config.options], titled=titled)
        case BooleanConfig():
            return _choice([(_YES, config.true_label), (_NO, config.false_label)], titled=titled)
        case MultiSelectConfig() if titled:
            least = max(config.min_selections, 1 if config.required else 0)
            most = {} if config.max_selections is None else {"maxItems": config.max_selections}
            items = {"anyOf": _titles([(option.value, option.label) for option in config.options])}
            return {"type": "array", "items": items, "minItems": least} | most
        case RatingConfig():
            whole = float(config.scale_step).is_integer() and float(config.scale_min).is_integer()
            marks = "; ".join(f"{at}: {meaning}" for at, meaning in (config.labels or {}).items())
            words = f"{config.scale_min:g} to {config.scale_max:g} in steps of {config.scale_step:g}"
            return _number(config.scale_min, config.scale_max, f"{words}. {marks}".strip(" ."), whole=whole)
        case NumberConfig():
            low = config.min_value if config.allow_negative else max(config.min_value, 0.0)
            unit = " ".join(part for part in (config.prefix, config.suffix) if part)
            places = f"at most {config.decimal_places} decimal places" if config.decimal_places else "a whole number"
            words = f"{places}, in {unit}" if unit else places
            return _number(low, config.max_value, words, whole=config.decimal_places == 0)
        case EditableTextConfig() if titled:
            return _text(config.min_length, config.max_length) | {"default": config.draft_text}
        case TextConfig():
            return _text(config.min_length, config.max_length)
        case _:
            return None


def _titles(options: Sequence[tuple[str, str]]) -> list[_Schema]:
    return [{"const": value, "title": label} for value, label in options]


def _choice(options: Sequence[tuple[str, str]], *, titled: bool) -> _Schema:
    if titled:
        return {"type": "string", "oneOf": _titles(options)}
    return {"type": "string", "enum": [value for value, _ in options], "enumNames": [label for _, label in options]}


def _number(low: float, high: float, words: str, *, whole: bool) -> _Schema:
    kind = "integer" if whole else "number"
    bounds = {
        name: int(bound) if float(bound).is_integer() else bound
        for name, bound in (("minimum", low), ("maximum", high))
    }
    return {"type": kind, "description": words, **bounds}


def _text(least: int, most: int) -> _Schema:
    return {"type": "string", "minLength": least, "maxLength": most}


def message_of(request: ReviewRequest, loop: str, inbox: str) -> str | None:
    """What the dialog says: everything that the decision is about (H4), or None where that does not fit.

    Args:
        loop: the loop's name.
        inbox: where the request is answered otherwise.
    """
    if request.media is not None or request.images:
        return None
    facts = "\n".join(f"{name}: {_plain(value)}" for name, value in (request.context or {}).items())
    parts = [
        f"Question for {loop}:",
        request.request_text,
        facts,
        "An answer here is recorded as given through this client, which the service cannot check. It can also be "
        f"answered in the inbox: {inbox}",
    ]
    message = "\n\n".join(part for part in parts if part)
    return message if len(message) <= MAX_MESSAGE else None


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def meant(request: ReviewRequest, given: Any) -> Any:
    """What the form's answer says in the words of the API; whether it fits is for the service to judge."""
    config = read_config(request.response_type, request.response_config)
    if isinstance(config, BooleanConfig) and isinstance(given, str):
        return {_YES: True, _NO: False}.get(given, given)
    return given
