"""Text that every part can store: no U+0000 and no lone surrogate (H24: hashes are over UTF-8 text)."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, cast

from pydantic import AfterValidator, JsonValue

MAX_DEPTH = 32


def storable(text: str) -> str:
    """The same text. Raises: ValueError when it holds U+0000 or a lone surrogate."""
    if "\x00" in text:
        raise ValueError("must not contain the character U+0000")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("must not contain a lone surrogate (half of a UTF-16 pair)") from None
    return text


def storable_json(value: Any, depth: int = 0) -> Any:
    """The same JSON value. Raises: ValueError for unstorable text, for NaN, or nesting deeper than 32 levels."""
    if depth > MAX_DEPTH:
        raise ValueError(f"must not be nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        storable(value)
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError("must not contain NaN or infinity")
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            storable(key)
            storable_json(inner, depth + 1)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            storable_json(inner, depth + 1)
    return cast("Any", value)


STORABLE = AfterValidator(storable)
"""Put after a `Field` with lengths: they are then checked, and worded, as those of a string."""

Text = Annotated[str, STORABLE]
"""A string that can be stored and hashed."""

Json = Annotated[JsonValue, AfterValidator(storable_json)]
"""Any JSON value that can be stored and hashed."""

JsonObject = Annotated[dict[str, Any], AfterValidator(storable_json)]
"""A JSON object that can be stored and hashed."""


def canonical(value: Any) -> str:
    """One text for one JSON value: sorted keys, no spaces, UTF-8 kept. Hashes and digests are taken over it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 over the canonical text of a JSON value, in hex."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
