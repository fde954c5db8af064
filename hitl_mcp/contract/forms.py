"""Several fields answered together: what a field may be, and the check of a whole answer (our addition).

A field *is* one of the typed configurations with a name of its own, so what a value may be is said and checked in one
place (`configs`, `checks`). A form is never an approval, whatever its fields are called (H6).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias, cast

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)

from hitl_mcp.contract.checks import check_value
from hitl_mcp.contract.configs import (
    BooleanConfig,
    EmailConfig,
    Finite,
    MomentConfig,
    MultiSelectConfig,
    NumberConfig,
    RatingConfig,
    SingleSelectConfig,
    TextConfig,
    seen,
)
from hitl_mcp.contract.text import STORABLE
from hitl_mcp.errors import AnswerRejected

MAX_FIELDS = 50
ANY_NUMBER = 1e15
"""Bounds that a field of type number has when it names none."""

_INSTEAD = {
    "file": "take the file's address in a text field, or show a file with the request's own file_url",
    "image_review": "show the image with the request's own image_url, and ask about it in a boolean or select field",
}


def _plain(name: str) -> str:
    if name != name.strip() or any(unicodedata.category(char).startswith("C") for char in name):
        raise ValueError("must hold no invisible characters, and no spaces at its ends")
    return name


def _as_number_field(given: dict[str, Any]) -> dict[str, Any]:
    """A number field without bounds takes any number: a template seldom knows them."""
    bounded = {"min", "max", "min_value", "max_value"} & given.keys()
    return given if bounded else {"allow_negative": True, "decimal_places": 10, **given}


class _Field(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    name: Annotated[str, Field(min_length=1, max_length=100), STORABLE, AfterValidator(_plain)]
    label: Annotated[str, Field(min_length=1, max_length=200), STORABLE] | None = None
    initial: JsonValue = None

    @property
    def title(self) -> str:
        """What the person reads."""
        return self.label or self.name


class _Answerable(_Field):
    @model_validator(mode="after")
    def _prefills(self) -> Self:
        if not is_blank(self.initial):
            try:
                check_value(cast("AnswerField", self), self.initial, "initial")
            except AnswerRejected as fault:
                raise ValueError(f"initial {fault.reason}") from None
        return self

    @property
    def prefilled(self) -> Any:
        """What stands in the field before anybody typed; None for nothing. A boolean is never preset to yes by us."""
        return None if is_blank(self.initial) else check_value(cast("AnswerField", self), self.initial, self.name)


class TextField(_Answerable, TextConfig):
    """A short text."""

    type: Literal["text"]


class RichTextField(_Answerable, TextConfig):
    """A long text; Markdown is kept as it is typed."""

    type: Literal["rich_text"]
    max_length: Annotated[int, Field(ge=1, le=10_000)] = 10_000


class EmailField(_Answerable, EmailConfig):
    """An e-mail address."""

    type: Literal["email"]


class DatetimeField(_Answerable, MomentConfig):
    """A time with its zone."""

    type: Literal["datetime"]


class BooleanField(_Answerable, BooleanConfig):
    """Yes or no, undecided until a person decides."""

    type: Literal["boolean"]


class SelectField(_Answerable, SingleSelectConfig):
    """One of the options."""

    type: Literal["select"]


class MultiSelectField(_Answerable, MultiSelectConfig):
    """Several of the options."""

    type: Literal["multi_select", "checkbox_group"]


class RatingField(_Answerable, RatingConfig):
    """A number on a scale; from 1 to 5 when nothing is said."""

    type: Literal["rating"]
    scale_max: Finite = Field(default=5, validation_alias=AliasChoices("scale_max", "max", "max_value"))


class NumberField(_Answerable, NumberConfig):
    """A number; any, when no bounds are given."""

    type: Literal["number"]
    max_value: Finite = Field(default=ANY_NUMBER, validation_alias=AliasChoices("max_value", "max"))
    min_value: Finite = Field(default=-ANY_NUMBER, validation_alias=AliasChoices("min_value", "min"))


class ShownField(_Field):
    """Something to read, not to answer: `initial` as Markdown, as it is, or as a table."""

    type: Literal["content_display", "code_display", "table_display"]


AnswerField: TypeAlias = (
    TextField
    | RichTextField
    | EmailField
    | DatetimeField
    | BooleanField
    | SelectField
    | MultiSelectField
    | RatingField
    | NumberField
)
FormField: TypeAlias = AnswerField | ShownField


def _known_type(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    known = cast("dict[str, Any]", given)
    kind = known.get("type")
    if kind is None:
        raise ValueError("type is required, such as text or boolean")
    if isinstance(kind, str) and kind in _INSTEAD:
        raise ValueError(f"type {kind} cannot be answered here: {_INSTEAD[kind]}")
    return _as_number_field(known) if kind == "number" else known


Fields = Annotated[
    list[Annotated[Annotated[FormField, Field(discriminator="type")], BeforeValidator(_known_type)]],
    Field(min_length=1, max_length=MAX_FIELDS),
]


def distinct(fields: list[FormField]) -> list[FormField]:
    """The same fields. Raises: ValueError when a reader could take two of them for one (H6), or none is to answer."""
    owner: dict[str, int] = {}
    for index, field in enumerate(fields):
        names = {seen(field.name), seen(field.title)}
        if "" in names:
            raise ValueError("fields must have a name and a label that can be seen. Give each field a text")
        for name in names:
            if owner.setdefault(name, index) != index:
                raise ValueError(
                    f"fields must differ in name and label; {name!r} names two of them. "
                    "Give each field its own distinct text"
                )
    if all(isinstance(field, ShownField) for field in fields):
        raise ValueError("fields must hold one at least that can be answered, of type text or boolean for example")
    return fields


class FormConfig(BaseModel):
    """Up to 50 fields, answered as one object of field name to value."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    fields: Annotated[Fields, AfterValidator(distinct)]

    @property
    def answerable(self) -> list[AnswerField]:
        """The fields that take an answer."""
        return [field for field in self.fields if not isinstance(field, ShownField)]


def is_blank(value: Any) -> bool:
    """Whether a field's value says nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def check_field(of: AnswerField, value: Any, field: str) -> Any:
    """One field's value as it is kept; None when nothing was answered. Raises: AnswerRejected."""
    if is_blank(value):
        if of.required:
            raise AnswerRejected(field, "must be answered")
        emptied = isinstance(value, str) and isinstance(of, TextField | RichTextField) and not of.min_length
        return value if emptied else None
    return check_value(of, value, field)


def check_form(config: FormConfig, answer: Any, field: str) -> dict[str, Any]:
    """A whole answer as it is kept: every field that can be answered, by its name.

    Args:
        field: the name used in the error, before the field's own.

    Raises: AnswerRejected, naming the first field that does not fit.
    """
    if not isinstance(answer, Mapping):
        raise AnswerRejected(field, "must be an object with a value for each field of the form")
    given = cast("Mapping[str, Any]", answer)
    known = {of.name: of for of in config.answerable}
    for name in given:
        if name not in known:
            raise AnswerRejected(f"{field}.{name}", f"is no field to answer; there are {list(known)}")
    return {name: check_field(of, given.get(name), f"{field}.{name}") for name, of in known.items()}
