"""Changing one table of a TOML file; tomlkit keeps the rest of it, comments included."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping, MutableMapping
from typing import Any, cast

from hitl_mcp.clients.unsafe import Unsafe

_STRING_OR_COMMENT = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\r\n]*', re.DOTALL
)


def parsed(text: str) -> dict[str, Any]:
    """What a TOML text says. Raises: ValueError."""
    return tomllib.loads(text)


def with_entry(text: str, table: str, name: str, entry: Mapping[str, Any]) -> str:
    """The text with the entry `[table.name]`; what was in it and is not in the entry goes.

    Raises: Unsafe when that would take a comment away, or tomlkit cannot change a file of this shape.
    """
    try:
        after = _with_entry(text, table, name, entry)
    except Exception as error:  # tomlkit's faults over tables that are spread through a file are of any kind
        raise Unsafe(f"Its tables are in an unusual order ({error}).") from None
    if lost := _comments(text) - _comments(after):
        raise Unsafe(f"The comment {next(iter(lost))!r} stands beside something that would go.")
    if "\r\n" in text:
        after = after.replace("\r\n", "\n").replace("\n", "\r\n")
    return after


def _with_entry(text: str, table: str, name: str, entry: Mapping[str, Any]) -> str:
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

    for key in [key for key in ours if key not in entry]:
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


def _comments(text: str) -> Counter[str]:
    return Counter(found.rstrip() for found in _STRING_OR_COMMENT.findall(text) if found.startswith("#"))
