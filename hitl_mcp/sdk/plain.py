"""Python values as JSON values: what pandas and NumPy leave in a `to_dict()`, and the standard library's own types.

Neither pandas nor NumPy is imported: their values are known by what they can do, or by their type's name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, cast
from uuid import UUID

from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from hitl_mcp.contract.text import MAX_DEPTH, canonical
from hitl_mcp.errors import BadRequest

_MISSING = {"NaTType", "NAType"}
_WRITTEN = {"Period", "Interval", "datetime64"}
"""Their text is what a person reads: a month, a range, an ISO time in the precision it has."""
_LISTS = (list, tuple, set, frozenset)


def plain(value: Any, name: str = "content") -> JsonValue:
    """The value as JSON can hold it.

    NaN, NaT and infinity become null; dates, times and durations ISO 8601; scalars of NumPy numbers; a Decimal a number
    where that keeps every digit, else text; a UUID text; an Enum its value; tuples, sets (sorted) and arrays lists;
    keys text.

    Args:
        value: anything a `to_dict()` can hold.
        name: what the value is called in an error.

    Raises: BadRequest, whose `field` is the path of the part at fault: bytes, a type that JSON has no form for, two
        keys that become the same text, or more than 32 levels (a value that holds itself is one).
    """
    return _plain(value, name, 0)


def _plain(value: Any, path: str, depth: int) -> JsonValue:
    if depth > MAX_DEPTH:
        raise _refused(path, f"is nested deeper than {MAX_DEPTH} levels. Send less of it, or as text")
    match value:
        case Enum():
            return _plain(value.value, path, depth + 1)
        case None | bool():
            return value
        case str():
            return str(value)
        case int():
            return int(value)
        case float():
            return float(value) if math.isfinite(value) else None
        case Decimal():
            return _number(value)
        case UUID():
            return str(value)
        case Mapping():
            return _object(cast("Mapping[Any, Any]", value), path, depth)
        case bytes() | bytearray() | memoryview():
            raise _refused(path, "holds bytes. Decode them to text, or send the address of a file")
        case _ if type(value).__name__ in _MISSING:
            return None
        case date() | time() | timedelta():
            return _time(value)
        case _ if isinstance(value, _LISTS) or (getattr(value, "ndim", 0) and type(value).__name__ == "ndarray"):
            return _list(cast("Iterable[Any]", value), path, depth)
        case _:
            return _scalar(value, path, depth)


def _scalar(value: Any, path: str, depth: int) -> JsonValue:
    kind = type(value).__name__
    if kind in _WRITTEN:
        text = str(value)
        return None if text == "NaT" else text
    if hasattr(value, "dtype") and getattr(value, "ndim", None) == 0:
        if kind == "ndarray":
            return _plain(value[()], path, depth + 1)  # the array of one value, without dimensions
        # nanoseconds would come as a bare number, and a long double as itself
        inner = value.astype("timedelta64[us]").item() if kind == "timedelta64" else value.item()
        if type(inner) is not type(value):
            return _plain(inner, path, depth + 1)
        return _plain(float(inner), path, depth + 1)
    raise _refused(
        path, f"is a {kind}, for which JSON has no form. Make it text, a number, a list or a dict (to_dict())"
    )


def _time(value: date | time | timedelta) -> str:
    if isinstance(value, timedelta) and not hasattr(value, "isoformat"):  # pandas' own has it, with nanoseconds
        return str(to_jsonable_python(value))
    return str(cast("datetime", value).isoformat())


def _number(value: Decimal) -> JsonValue:
    if not value.is_finite():
        return None
    as_float = float(value)
    if value == value.to_integral_value() and abs(value) < 10**15:
        return int(value)
    return as_float if Decimal(str(as_float)) == value else str(value)


def _list(value: Iterable[Any], path: str, depth: int) -> list[JsonValue]:
    items = [_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    return sorted(items, key=canonical) if isinstance(value, set | frozenset) else items


def _object(value: Mapping[Any, Any], path: str, depth: int) -> dict[str, JsonValue]:
    result: dict[str, JsonValue] = {}
    for key, inner in value.items():
        name = _key(_plain(key, f"{path}, key {key!r}", depth + 1))
        if name in result:
            raise _refused(path, f"has two keys that are both written {name!r}. Rename one of them")
        result[name] = _plain(inner, f"{path}.{name}", depth + 1)
    return result


def _key(value: JsonValue) -> str:
    if isinstance(value, list):  # a level each of pandas' column of columns
        return ", ".join(_key(part) for part in value)
    return value if isinstance(value, str) else json.dumps(value)


def _refused(path: str, why: str) -> BadRequest:
    return BadRequest("This content cannot be sent as JSON", {"field": path, "issue": why})
