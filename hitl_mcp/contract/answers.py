"""The seven response types: one configuration model each, and one validator for answers (contract section 3).

Names follow the newest public pages; older names are accepted as aliases. A plain-string option keeps its text as its
value (compatibility section 1), so `"Needs Changes"` comes back as it was sent.
"""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, TypeAlias, cast

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hitl_mcp.contract.text import STORABLE, Text
from hitl_mcp.errors import AnswerRejected


class ResponseType(StrEnum):
    """How a person answers."""

    SINGLE_SELECT = "single_select"
    MULTI_SELECT = "multi_select"
    RATING = "rating"
    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    EDITABLE_TEXT = "editable_text"


def seen(text: str) -> str:
    """What a reader makes of it: without case, outer spaces and invisible characters, in one way of writing."""
    shown = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc") or c.isspace())
    return unicodedata.normalize("NFC", shown.casefold()).strip()


def slug(text: str) -> str:
    """Lower case, runs of spaces and punctuation as one underscore: `Needs Changes` is `needs_changes`."""
    return re.sub(r"\W+", "_", seen(text)).strip("_")


class _Config(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    required: bool = False


class Option(BaseModel):
    """One choice. `value` is what comes back, `label` what the person reads."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    value: Annotated[str, Field(min_length=1, max_length=100), STORABLE]
    label: Annotated[str, Field(min_length=1, max_length=200), STORABLE]
    description: Annotated[str, Field(max_length=500), STORABLE] | None = None
    color: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{3}([0-9a-fA-F]{3})?$")] | None = None


def _as_option(value: Any) -> Any:
    if isinstance(value, str):
        return {"value": value, "label": value}
    if isinstance(value, dict):
        given = cast("dict[str, Any]", value)
        return {"label": given.get("value"), **given}
    return value


_Options = Annotated[list[Annotated[Option, BeforeValidator(_as_option)]], Field(min_length=1, max_length=20)]


class _SelectConfig(_Config):
    options: _Options

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        """H6: an answer must name one option only, whichever of value, label or slug is used."""
        owner: dict[str, int] = {}
        for index, option in enumerate(self.options):
            names = {seen(option.value), seen(option.label)}
            if "" in names:
                raise ValueError("options must have a value and a label that can be seen. Give each option a text")
            for name in names | {slug(option.value), slug(option.label)} - {""}:
                if owner.setdefault(name, index) != index:
                    raise ValueError(
                        f"options must differ in value, label and slug; {name!r} names two of them. "
                        "Give each option its own distinct text"
                    )
        return self

    def find(self, answer: object) -> str | None:
        """The value of the option that `answer` names by value, label or slug."""
        if not isinstance(answer, str):
            return None
        for option in self.options:
            if answer == option.value:
                return option.value
        name = seen(answer)
        for option in self.options:
            if name in (seen(option.value), seen(option.label)):
                return option.value
        named = slug(answer)
        return next((o.value for o in self.options if named and named in (slug(o.value), slug(o.label))), None)


class SingleSelectConfig(_SelectConfig):
    """Exactly one of up to 20 options."""


class MultiSelectConfig(_SelectConfig):
    """Several of up to 20 options."""

    min_selections: Annotated[int, Field(ge=0)] = 0
    max_selections: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_selections > len(self.options):
            raise ValueError("min_selections must not exceed the number of options")
        if self.max_selections is not None and self.max_selections < self.min_selections:
            raise ValueError("max_selections must be at least min_selections")
        return self


_Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e15, le=1e15)]


class RatingConfig(_Config):
    """A number on a scale, in steps counted from its minimum."""

    scale_max: _Finite = Field(validation_alias=AliasChoices("scale_max", "max", "max_value"))
    scale_min: _Finite = Field(default=1, validation_alias=AliasChoices("scale_min", "min", "min_value"))
    scale_step: Annotated[_Finite, Field(gt=0)] = Field(default=1, validation_alias=AliasChoices("scale_step", "step"))
    labels: dict[str, Text] | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.scale_min >= self.scale_max:
            raise ValueError("scale_min must be less than scale_max")
        if self.scale_step > self.scale_max - self.scale_min:
            raise ValueError("scale_step must not exceed the width of the scale")
        return self


class NumberConfig(_Config):
    """A number within bounds. `min_value` is 1 when nothing is said (newest page); negatives must be allowed."""

    max_value: _Finite = Field(validation_alias=AliasChoices("max_value", "max"))
    min_value: _Finite = Field(default=1, validation_alias=AliasChoices("min_value", "min"))
    decimal_places: Annotated[int, Field(ge=0, le=10)] = 2
    allow_negative: bool = False
    prefix: Annotated[str, Field(max_length=20), STORABLE] | None = None
    suffix: Annotated[str, Field(max_length=20), STORABLE] | None = Field(
        default=None, validation_alias=AliasChoices("suffix", "unit")
    )
    placeholder: Annotated[str, Field(max_length=200), STORABLE] | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_value > self.max_value:
            raise ValueError("min_value must not exceed max_value")
        if self.max_value < 0 and not self.allow_negative:
            raise ValueError("max_value is negative, so allow_negative must be true")
        return self


class _TextBounds(_Config):
    placeholder: Annotated[str, Field(max_length=500), STORABLE] | None = None
    min_length: Annotated[int, Field(ge=0)] = 0
    max_length: int

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_length > self.max_length:
            raise ValueError("min_length must not exceed max_length")
        return self


class TextConfig(_TextBounds):
    """Free text. Sources differ on `max_length` (required, or `{}` allowed): without it the cap of 5,000 holds."""

    max_length: Annotated[int, Field(ge=1, le=5000)] = 5000


class EditableTextConfig(_TextBounds):
    """A draft to correct. Without `max_length` the cap of the types page, 10,000, holds."""

    draft_text: Annotated[str, Field(max_length=10000), STORABLE]
    max_length: Annotated[int, Field(ge=1, le=10000)] = 10000

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.draft_text) > self.max_length:
            raise ValueError("draft_text must not be longer than max_length")
        return self


_Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{3}([0-9a-fA-F]{3})?$")]


class BooleanConfig(_Config):
    """Yes or no."""

    true_label: Annotated[str, Field(min_length=1, max_length=100), STORABLE] = "Yes"
    false_label: Annotated[str, Field(min_length=1, max_length=100), STORABLE] = "No"
    true_color: _Color = "#16a34a"
    false_color: _Color = "#dc2626"

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if slug(self.true_label) == slug(self.false_label):
            raise ValueError("true_label and false_label must differ")
        return self


ResponseConfig: TypeAlias = (
    SingleSelectConfig
    | MultiSelectConfig
    | RatingConfig
    | NumberConfig
    | TextConfig
    | BooleanConfig
    | EditableTextConfig
)

CONFIGS: dict[ResponseType, type[ResponseConfig]] = {
    ResponseType.SINGLE_SELECT: SingleSelectConfig,
    ResponseType.MULTI_SELECT: MultiSelectConfig,
    ResponseType.RATING: RatingConfig,
    ResponseType.NUMBER: NumberConfig,
    ResponseType.TEXT: TextConfig,
    ResponseType.BOOLEAN: BooleanConfig,
    ResponseType.EDITABLE_TEXT: EditableTextConfig,
}
EXAMPLES: dict[ResponseType, dict[str, Any]] = {
    ResponseType.SINGLE_SELECT: {"options": ["Blue", "Green"]},
    ResponseType.MULTI_SELECT: {"options": ["Logs", "Metrics", "Traces"], "max_selections": 2},
    ResponseType.RATING: {"scale_min": 1, "scale_max": 5},
    ResponseType.NUMBER: {"min_value": 0, "max_value": 100, "decimal_places": 0},
    ResponseType.TEXT: {"max_length": 500},
    ResponseType.BOOLEAN: {"true_label": "Yes", "false_label": "No"},
    ResponseType.EDITABLE_TEXT: {"draft_text": "Dear customer, ..."},
}
"""A configuration that works, per type; error messages show it."""


def read_config(response_type: ResponseType, config: object) -> ResponseConfig:
    """The typed configuration.

    Raises: AnswerRejected, naming the field, when it does not fit the type; the reason holds an example that does.
    """
    try:
        return CONFIGS[response_type].model_validate(config)
    except ValidationError as error:
        where, why = first_fault(error)
        field = ".".join(["response_config", *where])
        raise AnswerRejected(field, f"{why}. An example for {response_type.value}: {EXAMPLES[response_type]}") from None


def first_fault(error: ValidationError) -> tuple[list[str], str]:
    """Where and why a validation failed first, in words a person or a model can act on."""
    fault = error.errors(include_url=False, include_context=False)[0]
    why = fault["msg"].removeprefix("Value error, ")
    return [str(part) for part in fault["loc"]], why


EditedText = dict[Literal["revised_text", "was_edited"], Any]


def check_answer(config: ResponseConfig, answer: Any, field: str = "response_data") -> Any:
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
        case TextConfig():
            return _text(config, answer, field)


def _one(config: _SelectConfig, answer: Any, field: str) -> str:
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


def _text(config: _TextBounds, answer: Any, field: str) -> str:
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
