"""The contract's own words for a body, path or query that does not fit (contract section 1.6)."""

from __future__ import annotations

import re
from typing import Any

from fastapi.exceptions import RequestValidationError

from hitl_mcp.errors import BadRequest, Refused

_LOOP = re.compile(r"/v1/api/loops(/[^/]+)?/?")
"""Where `name` and `icon` are a loop's."""
_REQUIRED = {
    "request_text": "Request text is required",
    "name": "Loop name is required",
    "icon": "Loop icon is required",
}
_RANGES = {
    "request_text": "request_text must be between 1 and 2000 characters",
    "name": "name must be between 1 and 100 characters",
    "icon": "icon must be between 1 and 100 characters",
    "description": "description must be at most 500 characters",
    "limit": "limit must be between 1 and 100",
    "offset": "offset must be between 0 and 1000000",
    "timeout_seconds": "timeout_seconds must be between 60 and 86400 (time-sensitive) or 2592000 (deferred)",
}
_BOUNDS = ("string_too_short", "string_too_long", "greater_than_equal", "less_than_equal", "int_parsing", "int_type",
           "int_from_float", "finite_number")  # fmt: skip
_WRONG_TYPES = {
    "string_type": "a string", "int_type": "a whole number", "bool_type": "true or false", "list_type": "a list",
    "dict_type": "a JSON object", "model_type": "a JSON object", "model_attributes_type": "a JSON object",
}  # fmt: skip
_MARKS = ("rating", "accuracy", "timeliness", "helpfulness")


def refusal_of(error: RequestValidationError, address: str) -> Refused:
    """The first fault, as the contract words it: the text in `msg`, what to put right in `data`.

    Args:
        address: the path that was called, because a loop's name has words of its own.
    """
    fault = error.errors()[0]
    kind, where = str(fault["type"]), [str(part) for part in fault["loc"]]
    place, path = where[0], where[1:]
    field = ".".join(part for part in path if part not in _BRANCHES)
    of_loop = _LOOP.fullmatch(address) is not None
    why = _why(fault, field, of_loop=of_loop)
    if kind == "json_invalid":
        return BadRequest("Invalid request body", str(fault.get("ctx", {}).get("error", "not JSON")))
    if kind in ("model_attributes_type", "dict_type") and not field:
        return BadRequest(
            "Invalid request body", "the body must be a JSON object, sent with Content-Type: application/json"
        )
    if kind == "missing" and place == "body" and not field:
        return BadRequest("Invalid request body", "a JSON object is needed as body")
    if place == "path":
        if path[0] == "code":
            return BadRequest("Invalid invitation code format", "a code has 9 letters and digits")
        return BadRequest(f"Invalid {path[0].removesuffix('_id')} ID format", "an id has 24 characters 0-9 and a-f")
    if place == "query":
        return _query(field, why)
    if kind == "contract":
        return BadRequest(str(fault["msg"]))
    if field.startswith("feedback."):
        name = path[-1] if path[-1] in _MARKS else field.removeprefix("feedback.")
        if name in _MARKS:
            return BadRequest("Rating values must be between 1 and 5", f"{name} {why}")
        if name == "comment" and kind == "string_too_long":
            return BadRequest("Comment exceeds maximum length of 1000 characters")
    words = _REQUIRED.get(field) if of_loop or field == "request_text" else None
    if words is not None and (kind in ("missing", "string_too_short") or fault.get("input") is None):
        return BadRequest(words, _RANGES[field])
    if kind in _WRONG_TYPES and fault.get("input") is not None:
        return BadRequest("Invalid request body", f"{field} must be {_WRONG_TYPES[kind]}")
    return BadRequest("Validation failed", why)


_BRANCHES = ("current", "first")
"""Names of the two generations of a body; they are no part of a field's place."""


def _why(fault: Any, field: str, *, of_loop: bool) -> str:
    kind = str(fault["type"])
    if kind in _BOUNDS and field in _RANGES and (of_loop or field != "name"):
        return _RANGES[field]
    if kind in ("enum", "literal_error"):
        allowed = re.findall(r"'([^']*)'", str(fault.get("ctx", {}).get("expected", "")))
        return f"{field} must be one of: {', '.join(allowed)}"
    if kind == "missing":
        return f"{field} is required"
    if kind == "extra_forbidden":
        return f"{field} is not taken here"
    if (kind == "string_pattern_mismatch" and (field == "url" or field.endswith("_url"))) or "_urls" in field:
        return f"{field} must be an absolute http or https address"
    if kind == "string_pattern_mismatch" and "{24}" in str(fault.get("ctx", {}).get("pattern")):
        return f"{field} must be an id: 24 characters 0-9 and a-f"
    return f"{field} {str(fault['msg']).removeprefix('Value error, ')}".strip()


def _query(field: str, why: str) -> Refused:
    if field == "status":
        return BadRequest("Invalid status filter value", why)
    if field in ("limit", "offset"):
        return BadRequest("Invalid pagination parameters", why)
    if field == "loop_id":
        return BadRequest("Invalid loop ID format", "an id has 24 characters 0-9 and a-f")
    return BadRequest("Validation failed", why)
