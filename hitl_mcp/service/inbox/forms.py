"""From form fields to an answer, and what a person typed kept on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError
from starlette.datastructures import FormData

from hitl_mcp.contract.answers import ResponseType, first_fault
from hitl_mcp.contract.models import NewAnswer, ReviewRequest
from hitl_mcp.errors import AnswerRejected

_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?", re.ASCII)
_MISSING = {
    ResponseType.SINGLE_SELECT: "Choose one of the answers.",
    ResponseType.MULTI_SELECT: "Choose at least one of the answers.",
    ResponseType.RATING: "Choose a value on the scale.",
    ResponseType.NUMBER: "Type a number.",
    ResponseType.TEXT: "Type an answer.",
    ResponseType.EDITABLE_TEXT: "Type an answer.",
    ResponseType.BOOLEAN: "Choose one of the answers.",
}


@dataclass(frozen=True, slots=True)
class Typed:
    """What came with the form. `values` are the answer's fields as text, in the order of the page."""

    revision: int
    values: tuple[str, ...]
    comment: str

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
    )


def field(form: FormData, name: str) -> str:
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
            raise AnswerRejected("comment", f"The comment cannot be kept: {why}.") from None
        if name == "revision":
            reason = "The form came without the revision it was made for. Read it again."
            raise AnswerRejected("revision", reason) from None
        raise AnswerRejected("answer", f"The answer cannot be kept: {why}.") from None


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


def _number(text: str) -> float | int | str:
    if _NUMBER.fullmatch(text) is None:
        return text
    return float(text) if "." in text else int(text)


def fault_words(typed: Typed, request: ReviewRequest, details: object) -> str:
    """Why the lifecycle refused the answer, for the person who gave it."""
    if not "".join(typed.values).strip():
        return _MISSING[request.response_type]
    issue = cast("dict[str, Any]", details).get("issue") if isinstance(details, dict) else None
    return f"The answer {issue}." if isinstance(issue, str) else "This answer does not fit the question."
