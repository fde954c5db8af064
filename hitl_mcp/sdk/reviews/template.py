"""A template: which fields a review asks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from hitl_mcp.contract.record import Record


class Template(Record):
    """A template as it is kept.

    Attributes:
        key: the id that its author chose, if any.
        slug: of its name; `template_id` may be the id, the key or the slug.
        fields: `{name, type, label?, required?, initial?, options?, ...}`; see the contract's response type form.
        loop_id: where its reviews go, if it says so.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    id: str
    key: str | None = None
    slug: str
    name: str
    fields: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    loop_id: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict[str, Any])
    created_at: datetime
    updated_at: datetime
