"""From form fields to an answer, and what a person typed kept on the way."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from pydantic import ValidationError
from starlette.datastructures import FormData

from hitl_mcp.contract.answers import FormConfig, ResponseType, first_fault, read_config
from hitl_mcp.contract.forms import (
    AnswerField,
    BooleanField,
    DatetimeField,
    MultiSelectField,
    NumberField,
    RatingField,
    RichTextField,
    TextField,
    check_field,
    is_blank,
)
from hitl_mcp.contract.models import NewAnswer, ReviewRequest
from hitl_mcp.errors import AnswerRejected
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.inbox.words import number

_FIELD = "field-"
_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?", re.ASCII)


def _missing(of: ResponseType) -> str:
    match of:
        case ResponseType.MULTI_SELECT:
            return _("Choose at least one of the answers.")
        case ResponseType.RATING:
            return _("Choose a value on the scale.")
        case ResponseType.NUMBER:
            return _("Type a number.")
        case ResponseType.TEXT | ResponseType.EDITABLE_TEXT:
            return _("Type an answer.")
        case _:
            return _("Choose one of the answers.")


def _unfit() -> str:
    return _("This answer does not fit the question.")


@dataclass(frozen=True, slots=True)
class Typed:
    """What came with the form. `values` are the answer's fields as text, in the order of the page.

    `fields` are those of a question with several, by key; an empty one was on the page and left open.
    """

    revision: int
    values: tuple[str, ...]
    comment: str
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def is_empty(self) -> bool:
        """Whether nothing was typed that could be lost."""
        return not (any(self.values) or self.comment or any(self.fields.values()))

    @property
    def value(self) -> str:
        """The first value, for types that have one."""
        return self.values[0] if self.values else ""


def read_typed(form: FormData) -> Typed:
    """The fields of an answer form. Browsers send line ends as CRLF; inside they are `\\n`."""
    revision = _text(form.get("revision"))
    return Typed(
        revision=int(revision) if re.fullmatch(r"[1-9][0-9]{0,8}", revision) else 0,
        values=tuple(_text(value) for value in form.getlist("answer")),
        comment=_text(form.get("comment")),
        fields={
            key: tuple(text for value in form.getlist(key) if (text := _text(value)))
            for key in form
            if key.startswith(_FIELD)
        },
    )


def typed_again(request: ReviewRequest, value: Any, comment: str, revision: int) -> Typed:
    """The form as it was when this answer was sent, for who takes it back."""
    if request.response_type is ResponseType.FORM:
        given = cast("dict[str, Any]", value)
        return Typed(revision, (), comment, {key_of(name): _sent(one) for name, one in given.items()})
    if isinstance(value, dict):  # an edited draft is stored with what it was made from
        value = cast("dict[str, Any]", value).get("revised_text", "")
    return Typed(revision, _sent(value), comment)


def _sent(value: Any) -> tuple[str, ...]:
    match value:
        case None:
            return ()
        case bool():
            return (str(value).lower(),)
        case int() | float():
            return (number(value),)
        case list():
            return tuple(str(one) for one in cast("list[Any]", value))
        case _:
            return (str(value),)


def key_of(name: str) -> str:
    """How a field of this name is called in a form: names of agents hold what a browser would rewrite."""
    return _FIELD + hashlib.sha256(name.encode()).hexdigest()[:32]


def text_of(form: FormData, name: str) -> str:
    """One text field; empty when it is missing or a file."""
    return _text(form.get(name))


def _text(value: object) -> str:
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


def new_answer(typed: Typed, request: ReviewRequest) -> NewAnswer:
    """What the lifecycle is asked to record; the lifecycle judges it.

    Raises: AnswerRejected when it cannot be an answer at all; its field is `answer`, `comment` or `revision`.
    """
    try:
        return NewAnswer(response_data=_data(typed, request), revision=typed.revision, comment=typed.comment)
    except ValidationError as error:
        where, why = first_fault(error)
        name = where[0] if where else ""
        if name == "comment":
            raise AnswerRejected("comment", _("The comment cannot be kept: {why}.").format(why=why)) from None
        if name == "revision":
            reason = _("The form came without the revision it was made for. Read it again.")
            raise AnswerRejected("revision", reason) from None
        raise AnswerRejected("answer", _("The answer cannot be kept: {why}.").format(why=why)) from None


def _data(typed: Typed, request: ReviewRequest) -> Any:
    match request.response_type:
        case ResponseType.MULTI_SELECT:
            return list(typed.values)
        case ResponseType.BOOLEAN:
            return {"true": True, "false": False}.get(typed.value, typed.value)
        case ResponseType.RATING | ResponseType.NUMBER:
            return _number(typed.value.strip())
        case ResponseType.EDITABLE_TEXT:
            # a form cannot carry a draft's own line ends; a text that differs in nothing else was not edited
            draft = str(request.response_config.get("draft_text", ""))
            return draft if re.sub(r"\r\n?", "\n", draft) == typed.value else typed.value
        case ResponseType.SINGLE_SELECT | ResponseType.TEXT:
            return typed.value
        case ResponseType.FORM:
            return {of.name: _given(of, typed) for of in _fields(request)}


def _fields(request: ReviewRequest) -> list[AnswerField]:
    config = read_config(request.response_type, request.response_config)
    return config.answerable if isinstance(config, FormConfig) else []


def as_typed(of: AnswerField) -> tuple[str, ...]:
    """What a field is prefilled with, as a browser would send it back."""
    value = of.prefilled
    match of:
        case MultiSelectField():
            return tuple(value or ())
        case DatetimeField() if value is not None:
            here = datetime.fromisoformat(value).astimezone().replace(tzinfo=None)
            return (here.isoformat(timespec="seconds" if here.second else "minutes"),)
        case BooleanField() | RatingField() | NumberField() if value is not None:
            return (str(value).lower() if isinstance(value, bool) else number(value),)
        case _:
            return () if value is None else (str(value),)


def _given(of: AnswerField, typed: Typed) -> Any:
    """A field's value as it was meant: what came back as it was sent is the agent's own, to the last character."""
    values = typed.fields.get(key_of(of.name), ())
    if isinstance(of, MultiSelectField):
        return list(values) if values or of.required or not of.min_selections else None
    if values and values == tuple(re.sub(r"\r\n?", "\n", text) for text in as_typed(of)):
        return of.prefilled
    value = values[0] if values else ""
    match of:
        case BooleanField():
            return {"true": True, "false": False, "": None}.get(value, value)
        case RatingField() | NumberField():
            return _number(value.strip()) if value.strip() else None
        case DatetimeField():
            return _moment(value.strip())
        case TextField() | RichTextField() if is_blank(of.initial):
            return value or None
        case _:
            return value


def _moment(text: str) -> str:
    """A time as a browser gives it has no zone: the page shows times of the service's own."""
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is not None else at.astimezone()).isoformat()
    except (ValueError, OverflowError):
        return text


def _number(text: str) -> float | int | str:
    if _NUMBER.fullmatch(text) is None:
        return text
    return float(text) if "." in text else int(text)


def faults(typed: Typed, request: ReviewRequest, details: object) -> dict[str, str]:
    """Why the lifecycle refused the answer, for the person who gave it: words by the key of each control."""
    if request.response_type is ResponseType.FORM:
        found = {key_of(of.name): _field_fault(of, typed) for of in _fields(request)}
        return {key: words for key, words in found.items() if words} or {"answer": _unfit()}
    if not "".join(typed.values).strip():
        return {"answer": _missing(request.response_type)}
    issue = cast("dict[str, Any]", details).get("issue") if isinstance(details, dict) else None
    return {"answer": _("The answer {reason}.").format(reason=issue) if isinstance(issue, str) else _unfit()}


def _field_fault(of: AnswerField, typed: Typed) -> str:
    value = _given(of, typed)
    try:
        check_field(of, value, of.name)
    except AnswerRejected as fault:
        return (
            _("An answer is needed here.")
            if is_blank(value) or value == []
            else _("The answer {reason}.").format(reason=fault.reason)
        )
    return ""
