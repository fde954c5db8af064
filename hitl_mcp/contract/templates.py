"""Templates: the fields that reviews of one kind ask, under a name (our addition)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from hitl_mcp.contract.answers import ResponseType, read_config
from hitl_mcp.contract.configs import slug
from hitl_mcp.contract.forms import MAX_FIELDS
from hitl_mcp.contract.media import own_words
from hitl_mcp.contract.text import STORABLE, JsonObject
from hitl_mcp.errors import AnswerRejected, BadRequest


def _nameable(text: str) -> str:
    if not slug(text):
        raise ValueError("must hold letters or digits, because its slug is made of them")
    return text.strip()


TemplateName = Annotated[str, Field(min_length=1, max_length=200), STORABLE, AfterValidator(_nameable)]
TemplateKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"), AfterValidator(str.lower)]
TemplateFields = Annotated[list[JsonObject], Field(min_length=1, max_length=MAX_FIELDS)]
"""Fields of a form, kept as they were sent; the service reads them as the response type `form` before it does."""
_LoopId = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{24}$"), AfterValidator(str.lower)]


def check_fields(fields: list[dict[str, Any]] | None) -> None:
    """Whether fields, where given, make a form. Raises: BadRequest, with the field at fault."""
    if fields is None:
        return
    try:
        read_config(ResponseType.FORM, {"fields": fields})
    except AnswerRejected as fault:
        where = fault.field.removeprefix("response_config.")
        raise BadRequest("Invalid template fields", f"{where}: {fault.reason}") from None


class NewTemplate(BaseModel):
    """The body of "create template".

    Attributes:
        key: an id of the author's own, in any case; the template is found by it too.
        loop_id: where reviews made from it are asked.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: TemplateName
    fields: TemplateFields
    key: TemplateKey | None = None
    loop_id: _LoopId | None = None
    settings: JsonObject | None = None


class TemplateChange(BaseModel):
    """The body of "update template": any non-empty subset."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: TemplateName | None = None
    fields: TemplateFields | None = None
    loop_id: _LoopId | None = None
    settings: JsonObject | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise own_words("At least one field must be provided for update")
        for name in ("name", "fields"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise own_words(f"Template {name} is required")
        return self


class KeptTemplate(BaseModel):
    """A template as it is sent."""

    model_config = ConfigDict(defer_build=True)

    id: str
    key: str | None
    slug: str
    name: str
    fields: list[dict[str, Any]]
    loop_id: str | None
    settings: dict[str, Any]
    created_at: datetime
    updated_at: datetime
