"""Changing one value of a JSON file and leaving every other character of it as it is, comments included.

The standard library's own decoder reads the values; what is added is where each of them stands. Libraries that keep
comments were looked at and set aside: json-five takes the import name of another package (`json5`) that Jupyter
needs, jsonc-edit installs and runs Node.js, json5kit and jsonc-sdict are not maintained or not finished, and
tree-sitter's grammar for JSON has no trailing commas, which Zed writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from hitl_mcp.clients.unsafe import Unsafe

_STRING = r'"(?:[^"\\]|\\.)*"'
_COMMENT = re.compile(_STRING + r"|//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_LAST_COMMA = re.compile(_STRING + r"|,(?=\s*[}\]])", re.DOTALL)
_GAP = re.compile(r"[\s,:]*")


def parsed(text: str) -> Any:
    """What a JSON text with comments and trailing commas says. Raises: ValueError."""
    plain = _plain(text)
    return json.loads(plain) if plain.strip() else {}


def with_value(text: str, path: Sequence[str], value: Any) -> str:
    """The text with a value at a path of keys; missing objects on the way are made.

    Raises: Unsafe when comments stand inside the value that would be replaced, or a key of the path is there twice.
    """
    if not _plain(text).strip():
        text = f"{text.rstrip()}\n{{}}\n".lstrip()
    plain = _plain(text)
    here = _Child("", _first(plain, 0), len(plain.rstrip()))
    for depth, key in enumerate(path):
        found = [child for child in _children(plain, here.start) if child.key == key]
        if len(found) > 1:
            raise Unsafe(f"The key {key!r} is there twice.")
        if not found:
            for missing in reversed(path[depth + 1 :]):
                value = {missing: value}
            return _added(text, here.start, value, key)
        here = found[0]
    if _commented(text[here.start : here.end]):
        raise Unsafe(f"Comments stand inside {'.'.join(path)}.")
    return text[: here.start] + _dumped(text, value, _indent_at(text, here.start)) + text[here.end :]


def with_item(text: str, key: str, item: Any) -> str:
    """The text with one more item in the list at a top-level key."""
    plain = _plain(text)
    found = [child for child in _children(plain, _first(plain, 0)) if child.key == key]
    return _added(text, found[-1].start, item) if found else with_value(text, [key], [item])


@dataclass(frozen=True)
class _Child:
    key: str
    start: int
    end: int


def _children(plain: str, opening: int) -> list[_Child]:
    """The values of the object or list that opens at a position, with their keys (a list's have none)."""
    is_object = plain[opening] == "{"
    decode = json.JSONDecoder().raw_decode
    found: list[_Child] = []
    at = _first(plain, opening + 1)
    while plain[at] not in "}]":
        key = ""
        if is_object:
            key, at = decode(plain, at)
            at = _first(plain, at)
        _, end = decode(plain, at)
        found.append(_Child(key, at, end))
        at = _first(plain, end)
    return found


def _added(text: str, opening: int, value: Any, key: str | None = None) -> str:
    """The text with one more value at the end of the object or list that opens at a position."""
    plain = _plain(text)
    children = _children(plain, opening)
    after = children[-1].end if children else opening + 1
    closing = _first(plain, after)
    last = opening + len(text[opening:closing].rstrip())  # behind comments, too: they belong to what stands before them
    outer = _indent_at(text, opening) + _unit(text) * _open_on_line(plain, opening)
    own_line = children and "\n" in text[opening : children[0].start]
    inner = _indent_at(text, children[0].start) if own_line else outer + _unit(text)
    line = "\r\n" if "\r\n" in text else "\n"
    name = f"{json.dumps(key, ensure_ascii=False)}: " if key is not None else ""
    new = f"{line}{inner}{name}{_dumped(text, value, inner)}"
    rest = text[last:]
    if "\n" not in text[last:closing]:
        rest = f"{line}{outer}{rest.lstrip()}"
    comma = "," if children and "," not in _COMMENT.sub(_blank, text[after:closing]) else ""
    return text[:after] + comma + text[after:last] + new + rest


def _dumped(text: str, value: Any, indent: str) -> str:
    lines = json.dumps(value, indent=_unit(text), ensure_ascii=False).split("\n")
    return (("\r\n" if "\r\n" in text else "\n") + indent).join(lines)


def _unit(text: str) -> str:
    """One level of indentation, as the file has it."""
    found = re.search(r"^([ \t]+)[\"}\]]", text, re.MULTILINE)
    return "  " if found is None else "\t" if found[1][0] == "\t" else found[1]


def _indent_at(text: str, position: int) -> str:
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _open_on_line(plain: str, position: int) -> int:
    """How many objects and lists that hold a position begin on its own line."""
    before = re.sub(_STRING, "", plain[plain.rfind("\n", 0, position) + 1 : position])
    return max(0, sum((sign in "{[") - (sign in "}]") for sign in before))


def _first(plain: str, position: int) -> int:
    """Where the next key, value or closing bracket stands."""
    return cast("re.Match[str]", _GAP.match(plain, position)).end()


def _plain(text: str) -> str:
    """The text with comments and trailing commas blanked out, so that every position stays what it is."""
    return _LAST_COMMA.sub(_blank, _COMMENT.sub(_blank, text))


def _blank(found: re.Match[str]) -> str:
    return found[0] if found[0][0] == '"' else re.sub(r"[^\r\n]", " ", found[0])


def _commented(text: str) -> bool:
    return _COMMENT.sub(_blank, text) != text
