"""Changing one table of a TOML file; tomlkit keeps the rest of it, comments included."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, MutableMapping
from typing import Any, cast

from hitl_mcp.clients.unsafe import Unsafe


def parsed(text: str) -> dict[str, Any]:
    """What a TOML text says. Raises: ValueError."""
    return tomllib.loads(text)


def with_entry(text: str, table: str, name: str, entry: Mapping[str, Any]) -> str:
    """The text with the entry `[table.name]`; what was in it and is not in the entry goes.

    Raises: Unsafe when a comment stands beside something that would go.
    """
    import tomlkit
    from tomlkit.items import InlineTable

    document = cast("MutableMapping[str, Any]", tomlkit.parse(text))
    if table not in document:
        document[table] = tomlkit.table(is_super_table=True)
    tables = cast("MutableMapping[str, Any]", document[table])
    if name not in tables:
        tables[name] = tomlkit.inline_table() if isinstance(tables, InlineTable) else tomlkit.table()
    _update(cast("MutableMapping[str, Any]", tables[name]), entry)
    return tomlkit.dumps(cast("Mapping[str, Any]", document))


def _update(ours: MutableMapping[str, Any], entry: Mapping[str, Any]) -> None:
    import tomlkit
    from tomlkit.items import Item

    for key in [key for key in ours if key not in entry]:
        if isinstance(item := ours[key], Item) and "#" in item.trivia.comment + (
            item.as_string() if _many(item) else ""
        ):
            raise Unsafe(f"A comment stands beside {key}, which would go.")
        del ours[key]
    for key, value in entry.items():
        if _many(value) and _many(ours.get(key)):
            _update(ours[key], value)
        elif key not in ours or ours[key] != value:
            # mappings on one line: a table of its own behind ours could capture keys that follow it
            ours[key] = tomlkit.inline_table() if _many(value) else value
            if _many(value):
                _update(ours[key], value)


def _many(value: object) -> bool:
    return isinstance(value, Mapping)
