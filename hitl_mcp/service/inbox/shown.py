"""What a field of a form only shows: the agent's text, code or table, as it is put on the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from hitl_mcp.contract.forms import ShownField
from hitl_mcp.service.inbox.markdown import OwnAddress, Rendered, render

MAX_CELLS = 2_000
"""A larger table is shown as the text of its JSON, so that a page stays readable and quick."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One of the four forms; `text` is literal, and stands beside formatted words that hide some of it.

    Attributes:
        words: Markdown as HTML.
        rows: a table, its first row the names of the columns.
        value: any other JSON.
    """

    words: Rendered | None = None
    text: str | None = None
    rows: Sequence[Sequence[Any]] = ()
    value: Any = None


def shown_of(field: ShownField, own: OwnAddress | None) -> Shown:
    """What the field shows."""
    value = field.initial
    if isinstance(value, str):
        if field.type == "content_display" and own is not None:
            words = render(value, own)
            return Shown(words, None if words.whole else value)
        return Shown(text=value)
    if field.type == "code_display" and value is not None:
        return Shown(text=json.dumps(value, indent=2, ensure_ascii=False))
    rows = _rows(value)
    size = sum(map(len, rows)) if rows else len(json.dumps(value)) // 10
    if size > MAX_CELLS:
        return Shown(text=json.dumps(value, indent=2, ensure_ascii=False))
    return Shown(rows=rows) if rows else Shown(value=value)


def _rows(value: Any) -> list[list[Any]]:
    """A list of records, or of rows, as a table; empty when it is neither."""
    if isinstance(value, dict):  # as pandas' split form, and ours
        known = cast("dict[str, Any]", value)
        heads, data = known.get("columns"), known.get("data", known.get("rows"))
        if isinstance(heads, list) and isinstance(data, list) and _all(cast("list[Any]", data), list):
            return [cast("list[Any]", heads), *cast("list[list[Any]]", data)]
        return []
    if not isinstance(value, list) or not value:
        return []
    items = cast("list[Any]", value)
    if _all(items, dict):
        records = cast("list[dict[str, Any]]", items)
        names = list(dict.fromkeys(name for record in records for name in record))
        return [names, *([record.get(name) for name in names] for record in records)] if names else []
    return cast("list[list[Any]]", items) if _all(items, list) else []


def table_of(value: Any) -> list[list[Any]]:
    """Records that all have the same few names, each with a plain value, as a table; empty when they are none."""
    if not isinstance(value, list) or len(cast("list[Any]", value)) < 2 or not _all(cast("list[Any]", value), dict):
        return []
    records = cast("list[dict[str, Any]]", value)
    names = list(records[0])
    same = all(record.keys() == records[0].keys() for record in records)
    flat = not any(isinstance(cell, dict | list) for record in records for cell in record.values())
    return [names, *([record[name] for name in names] for record in records)] if same and flat and names else []


def _all(items: list[Any], kind: type) -> bool:
    return all(isinstance(item, kind) for item in items)
