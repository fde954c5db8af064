"""The response types of one value, with one configuration model each (contract section 3).

Names follow the newest public pages; older names are accepted as aliases. A plain-string option keeps its text as its
value (compatibility section 1), so `"Needs Changes"` comes back as it was sent.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from typing import Annotated, Any, Self, TypeAlias, cast

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hitl_mcp.contract.text import STORABLE, Text


class ResponseType(StrEnum):
    """How a person answers."""

    SINGLE_SELECT = "single_select"
    MULTI_SELECT = "multi_select"
    RATING = "rating"
    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    EDITABLE_TEXT = "editable_text"
    FORM = "form"


def seen(text: str) -> str:
    """What a reader makes of it: without case, outer spaces and invisible characters, in one way of writing."""
    shown = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc") or c.isspace())
    return unicodedata.normalize("NFC", shown.casefold()).strip()


def slug(text: str) -> str:
    """Lower case, runs of spaces and punctuation as one underscore: `Needs Changes` is `needs_changes`."""
    return re.sub(r"\W+", "_", seen(text)).strip("_")


class Config(BaseModel):
    """What every configuration has."""

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


_YES = {"approve", "approved", "yes", "true"}
_NO = {"reject", "rejected", "no", "false"}
_CONTRARY = [{yes, no} for yes in _YES for no in _NO] + [{"needs_changes", word} for word in _YES | _NO]
"""H6: what a person reads must not be the contrary of what a program gets."""


class SelectConfig(Config):
    """Options, each of which an answer names without doubt."""

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
        for option in self.options:
            if {slug(option.value), slug(option.label)} in _CONTRARY:
                raise ValueError(
                    f"the label {option.label!r} says the contrary of its value {option.value!r}. "
                    "Give the option a label that says what its value means"
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


class SingleSelectConfig(SelectConfig):
    """Exactly one of up to 20 options."""


class MultiSelectConfig(SelectConfig):
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


Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e15, le=1e15)]


class RatingConfig(Config):
    """A number on a scale, in steps counted from its minimum."""

    scale_max: Finite = Field(validation_alias=AliasChoices("scale_max", "max", "max_value"))
    scale_min: Finite = Field(default=1, validation_alias=AliasChoices("scale_min", "min", "min_value"))
    scale_step: Annotated[Finite, Field(gt=0)] = Field(default=1, validation_alias=AliasChoices("scale_step", "step"))
    labels: dict[str, Text] | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.scale_min >= self.scale_max:
            raise ValueError("scale_min must be less than scale_max")
        if self.scale_step > self.scale_max - self.scale_min:
            raise ValueError("scale_step must not exceed the width of the scale")
        return self


class NumberConfig(Config):
    """A number within bounds. `min_value` is 1 when nothing is said (newest page); negatives must be allowed."""

    max_value: Finite = Field(validation_alias=AliasChoices("max_value", "max"))
    min_value: Finite = Field(default=1, validation_alias=AliasChoices("min_value", "min"))
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


class TextBounds(Config):
    """How long a text may be."""

    placeholder: Annotated[str, Field(max_length=500), STORABLE] | None = None
    min_length: Annotated[int, Field(ge=0)] = 0
    max_length: int

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_length > self.max_length:
            raise ValueError("min_length must not exceed max_length")
        return self


class TextConfig(TextBounds):
    """Free text. Sources differ on `max_length` (required, or `{}` allowed): without it the cap of 5,000 holds."""

    max_length: Annotated[int, Field(ge=1, le=5000)] = 5000


class EmailConfig(TextConfig):
    """An e-mail address; a field of a form."""

    max_length: Annotated[int, Field(ge=1, le=320)] = 320


class MomentConfig(TextConfig):
    """A time with its zone, as ISO 8601; a field of a form."""

    max_length: Annotated[int, Field(ge=1, le=64)] = 64


class EditableTextConfig(TextBounds):
    """A draft to correct. Without `max_length` the cap of the types page, 10,000, holds."""

    draft_text: Annotated[str, Field(max_length=10000), STORABLE]
    max_length: Annotated[int, Field(ge=1, le=10000)] = 10000

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.draft_text) > self.max_length:
            raise ValueError("draft_text must not be longer than max_length")
        return self


_Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{3}([0-9a-fA-F]{3})?$")]


class BooleanConfig(Config):
    """Yes or no."""

    true_label: Annotated[str, Field(min_length=1, max_length=100), STORABLE] = "Yes"
    false_label: Annotated[str, Field(min_length=1, max_length=100), STORABLE] = "No"
    true_color: _Color = "#16a34a"
    false_color: _Color = "#dc2626"

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if slug(self.true_label) == slug(self.false_label):
            raise ValueError("true_label and false_label must differ")
        if slug(self.true_label) in _NO or slug(self.false_label) in _YES:
            raise ValueError("true_label must not say no, and false_label must not say yes")
        return self


ValueConfig: TypeAlias = (
    SingleSelectConfig
    | MultiSelectConfig
    | RatingConfig
    | NumberConfig
    | TextConfig
    | BooleanConfig
    | EditableTextConfig
)

CONFIGS: dict[ResponseType, type[ValueConfig]] = {
    ResponseType.SINGLE_SELECT: SingleSelectConfig,
    ResponseType.MULTI_SELECT: MultiSelectConfig,
    ResponseType.RATING: RatingConfig,
    ResponseType.NUMBER: NumberConfig,
    ResponseType.TEXT: TextConfig,
    ResponseType.BOOLEAN: BooleanConfig,
    ResponseType.EDITABLE_TEXT: EditableTextConfig,
}
"""The configurations of one value; a form is made of several (`forms`)."""
EXAMPLES: dict[ResponseType, dict[str, Any]] = {
    ResponseType.SINGLE_SELECT: {"options": ["Blue", "Green"]},
    ResponseType.MULTI_SELECT: {"options": ["Logs", "Metrics", "Traces"], "max_selections": 2},
    ResponseType.RATING: {"scale_min": 1, "scale_max": 5},
    ResponseType.NUMBER: {"min_value": 0, "max_value": 100, "decimal_places": 0},
    ResponseType.TEXT: {"max_length": 500},
    ResponseType.BOOLEAN: {"true_label": "Yes", "false_label": "No"},
    ResponseType.EDITABLE_TEXT: {"draft_text": "Dear customer, ..."},
    ResponseType.FORM: {"fields": [{"name": "approved", "type": "boolean", "required": True}]},
}
"""A configuration that works, per type; error messages show it."""
