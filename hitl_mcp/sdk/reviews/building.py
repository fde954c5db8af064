"""What a review asks: a form made of its template's fields and the content, or an approval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hitl_mcp.contract.answers import ResponseType, first_fault
from hitl_mcp.contract.forms import Fields
from hitl_mcp.contract.review_result import APPROVED, FACTS
from hitl_mcp.contract.states import Kind
from hitl_mcp.sdk.reviews.models import NewReview
from hitl_mcp.sdk.reviews.template import Template

QUESTION = "Please review this content"
SHORT_TEXT = 5_000
"""The longest value of a field of type text; a longer one is edited as rich text."""
Field = dict[str, Any]


def as_form(new: NewReview, template: Template | None) -> tuple[dict[str, Any], list[str]]:
    """The request for a backend that has forms, and what to tell the caller."""
    facts = {"template_id": template and template.id, "content": new.content, "assignees": new.assignees or []}
    asked = {**_common(new, template), "review": facts}
    if new.due_date is not None:
        asked["due_at"] = new.due_date
    if template is None or not template.fields:
        return {**asked, "kind": Kind.APPROVAL, "context": new.content or None}, []
    fields, shown, notes = filled(template.fields, new.content)
    form = {"response_type": ResponseType.FORM, "response_config": {"fields": fields}, "context": shown or None}
    return {**asked, **form}, [*notes, *_never_approved(template.fields)]


def as_approval(new: NewReview, template: Template | None) -> tuple[dict[str, Any], list[str]]:
    """The request for a backend that has no forms: the content is shown, and people approve it or not."""
    notes = [*_not_asked(template.fields if template else []), *_not_invited(new.assignees or [])]
    facts = {
        "template_id": template and template.id,
        "assignees": new.assignees or [],
        "due_date": new.due_date and new.due_date.isoformat(),
        "notes": notes,
    }
    context = {"content": new.content, FACTS: {name: value for name, value in facts.items() if value}}
    return {**_common(new, template), "kind": Kind.APPROVAL, "context": context}, notes


def filled(fields: Iterable[Mapping[str, Any]], content: Mapping[str, Any]) -> tuple[list[Field], Field, list[str]]:
    """The fields with the content of their names in them; the content that is only shown; what does not fit.

    Nobody's approval is ever filled in beforehand.
    """
    ready: list[Field] = []
    shown, notes = dict(content), list[str]()
    for given in fields:
        field = dict(given)
        name = str(field.get("name"))
        if _is_approval(field):
            field.pop("initial", None)
        elif name in content and content[name] is not None:
            candidate = _roomy(field, content[name]) | {"initial": content[name]}
            if (why := _misfit(candidate)) is None:
                field = candidate
                shown.pop(name, None)
            else:
                field.pop("initial", None)
                notes.append(f"The content's {name!r} is shown beside the form; it does not fit its field: {why}")
        ready.append(field)
    return ready, shown, notes


@cache
def _fields() -> TypeAdapter[Any]:
    return TypeAdapter(Fields)


def _misfit(field: Field) -> str | None:
    try:
        _fields().validate_python([field])
    except ValidationError as error:
        return first_fault(error)[1]
    return None


def _roomy(field: Field, value: Any) -> Field:
    is_long = isinstance(value, str) and len(value) > SHORT_TEXT
    grows = is_long and field.get("type") == "text" and "max_length" not in field
    return field | {"type": "rich_text"} if grows else field


def _is_approval(field: Mapping[str, Any]) -> bool:
    return field.get("name") == APPROVED and field.get("type") == "boolean"


def _common(new: NewReview, template: Template | None) -> dict[str, Any]:
    given: dict[str, Any] = {
        "request_text": new.request_text or (template.name if template else QUESTION),
        "priority": new.priority,
        "timeout_seconds": new.timeout_seconds,
        "callback_url": new.callback_url,
        "tags": new.tags,
    }
    return {name: value for name, value in given.items() if value is not None}


def _never_approved(fields: Iterable[Mapping[str, Any]]) -> list[str]:
    if any(_is_approval(field) for field in fields):
        return []
    return [
        "The template has no field `approved` of type boolean, so result['approved'] stays False. Add one if a person "
        "shall approve."
    ]


def _not_asked(fields: Iterable[Mapping[str, Any]]) -> list[str]:
    """An approval asks what `approved` asks, and a comment what `feedback` asks; the HITL.sh cloud carries none."""
    names = [str(field.get("name")) for field in fields if not _is_approval(field)]
    if not names:
        return []
    return [
        "The HITL.sh cloud has no forms: reviewers see the content and choose Approve, Reject or Needs Changes. "
        f"Not asked: {', '.join(names)}. Use a team's server or the local service for the whole form."
    ]


def _not_invited(people: list[str]) -> list[str]:
    if not people:
        return []
    return [
        f"Not notified by name: {', '.join(people)}. On the HITL.sh cloud every member of the loop can answer; people "
        "join with the loop's invitation."
    ]
