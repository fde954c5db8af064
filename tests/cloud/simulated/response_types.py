"""The response types: which configs are right, which values fit, and how an answer goes out (section 3)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

from tests.cloud.simulated import options
from tests.cloud.simulated.manners import Manners
from tests.cloud.simulated.wire import Json

SELECTS = ("single_select", "multi_select")
TEXTS = ("text", "editable_text")
LONGEST = {"text": 5000, "editable_text": 10000}
"""The most that `max_length` may be (3.3)."""


class Unfit(Exception):
    """A value that does not fit its type; the text says why."""


def types(manners: Manners) -> tuple[str, ...]:
    """The response types of 2.4."""
    boolean = ("boolean",) if manners.takes_boolean else ()
    return ("text", "single_select", "multi_select", "rating", "number", *boolean, "editable_text")


def config_fault(kind: str, config: Json, manners: Manners) -> str | None:
    """What is wrong with a `response_config`, or None. Unknown keys are tolerated (3.3)."""
    if kind in SELECTS:
        if fault := options.fault_of(config):
            return fault
        if kind == "multi_select" and manners.strict_config and "max_selections" not in config:
            return "max_selections is required for multi_select response type"
        return _not_numbers(config, "min_selections", "max_selections")
    if kind in TEXTS:
        required = ("draft_text", "max_length") if kind == "editable_text" else ()
        required = (*required, "max_length") if manners.strict_config else required
        for name in required:
            if name not in config:
                return f"{name} is required for {kind} response type"
        if fault := _not_numbers(config, "min_length", "max_length"):
            return fault
        if not 1 <= config.get("max_length", 1) <= LONGEST[kind]:
            return f"max_length must be between 1 and {LONGEST[kind]}"
    if kind == "rating":
        if "scale_max" not in config:
            return "scale_max is required for rating response type"
        if fault := _not_numbers(config, "scale_min", "scale_max", "scale_step"):
            return fault
        if config.get("scale_min", 1) >= config["scale_max"]:
            return "scale_min must be less than scale_max"
    if kind == "number":
        if "max_value" not in config:
            return "max_value is required for number response type"
        return _not_numbers(config, "min_value", "max_value", "decimal_places")
    return None


def fit(kind: str, config: Json, value: Any) -> Any:
    """The value as it is kept: of selects the option's own value. Raises: Unfit."""
    if kind == "single_select":
        return _option(config, value)
    if kind == "multi_select":
        return _options(config, value)
    if kind == "boolean":
        if not isinstance(value, bool):
            raise Unfit("default_response must be true or false")
        return value
    if kind in TEXTS:
        return _text(kind, config, value)
    return _number(kind, config, value)


def shown(kind: str, config: Json, value: Any, manners: Manners) -> Any:
    """A kept value as `response_data` (3.1); only `editable_text` is an object by contract."""
    labelled = manners.answers == "labelled"
    if kind == "single_select":
        option = options.find(config["options"], value)
        out = options.answered(config["options"], value, slugged=manners.slugged_answers)
        wrapped = {"selected_value": out} | ({"selected_label": options.label_of(option)} if labelled else {})
    elif kind == "multi_select":
        out = [options.answered(config["options"], one, slugged=manners.slugged_answers) for one in value]
        wrapped = {"selected_values": out}
    elif kind == "rating":
        out = value
        label = cast(Json, config.get("labels", {})).get(str(value), str(value))
        wrapped = {"rating": value} | ({"rating_label": label} if labelled else {})
    elif kind == "number":
        out = value
        text = f"{config.get('prefix', '')}{value}{config.get('suffix', '')}"
        wrapped = {"number": value} | ({"formatted_value": text} if labelled else {})
    elif kind == "boolean":
        out = value
        label = config.get("true_label", "True") if value else config.get("false_label", "False")
        wrapped = {"boolean": value} | ({"boolean_label": label} if labelled else {})
    elif kind == "editable_text":
        return {"revised_text": value, "was_edited": value != config["draft_text"]}
    else:
        return value
    return out if manners.answers == "bare" else wrapped


def _option(config: Json, value: Any) -> str:
    option = options.find(config["options"], value)
    if option is None:
        raise Unfit("default_response must match one of the configured options")
    return options.value_of(option)


def _options(config: Json, value: Any) -> list[str]:
    meant = cast(list[Any], value) if isinstance(value, list) else [value]
    chosen = [_option(config, one) for one in meant]
    if len(set(chosen)) < len(chosen):
        raise Unfit("default_response must not contain duplicates")
    most = config.get("max_selections", len(config["options"]))
    if chosen and not config.get("min_selections", 0) <= len(chosen) <= most:
        raise Unfit("default_response must respect min_selections and max_selections")
    return chosen


def _text(kind: str, config: Json, value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit("default_response must be a string")
    if config.get("required") and not value:
        raise Unfit("default_response must not be empty")
    if not config.get("min_length", 0) <= len(value) <= config.get("max_length", LONGEST[kind]):
        raise Unfit("default_response must respect min_length and max_length")
    return value


def _number(kind: str, config: Json, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit("default_response must be a number")
    low, high = ("scale_min", "scale_max") if kind == "rating" else ("min_value", "max_value")
    exact, least = Decimal(str(value)), Decimal(str(config.get(low, 1)))
    if not least <= exact <= Decimal(str(config[high])):
        raise Unfit(f"default_response must be between {least} and {config[high]}")
    if kind == "rating":
        if (exact - least) % Decimal(str(config.get("scale_step", 1))):
            raise Unfit("default_response must be aligned to scale_step")
        return value
    if value < 0 and not config.get("allow_negative", False):
        raise Unfit("default_response must not be negative")
    if exact != round(exact, config.get("decimal_places", 2)):
        raise Unfit("default_response has too many decimal places")
    return value


def _not_numbers(config: Json, *names: str) -> str | None:
    for name in names:
        value = config.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{name} must be a number"
    return None
