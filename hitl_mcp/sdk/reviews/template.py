"""A template: which fields a review asks."""

from __future__ import annotations

from hitl_mcp.contract.record import Record
from hitl_mcp.contract.templates import KeptTemplate


class Template(Record, KeptTemplate):
    """A template as it is kept; `template_id` may be its id, its key (an id its author chose) or the slug of its name.

    Its fields are those of the contract's response type form: `{name, type, label?, required?, initial?, ...}`.
    """
