"""Loops, members and the key check, as different pages show them, for the readers of `calls` (contract 2.1 to 2.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

JOIN = "https://my.hitl.sh/join/"
_EPOCH = datetime.fromtimestamp(0, UTC).isoformat()


def _object(data: object) -> dict[str, Any]:
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}


def _list(data: object) -> list[dict[str, Any]]:
    items = cast("list[Any]", data) if isinstance(data, list) else []
    return [cast("dict[str, Any]", one) for one in items if isinstance(one, dict)]


def loops(data: object) -> object:
    """A list of loops."""
    return {"loops": [_loop(one) for one in _list(_object(data).get("loops"))]} if "loops" in _object(data) else data


def loop(data: object) -> object:
    """One loop, under `loop` or flat."""
    given = _object(data)
    return {"loop": _loop(_object(given.get("loop")) or given)}


def new_loop(data: object) -> object:
    """A fresh loop with its ways in; the address to join at follows from the code where it is left out."""
    given = _object(data)
    code = given.get("invite_code") or _object(given.get("loop")).get("invite_code")
    made = _loop(_object(given.get("loop")) or given)
    ways = {"invite_code": code, "join_url": given.get("join_url") or f"{JOIN}{code}"} if isinstance(code, str) else {}
    return {**given, **ways, "loop": made}


def members(data: object) -> object:
    """Who answers, in the current shape or the older one."""
    given = _object(data)
    return {"members": [_member(one) for one in _list(given.get("members"))]} if "members" in given else data


def key(data: object) -> object:
    """The key check."""
    given = _object(data)
    rate = _object(given.get("rate_limit"))
    told = all(isinstance(rate.get(name), int) for name in ("limit", "remaining"))
    reset = rate.get("reset_at")
    kept = {**rate, "reset_at": reset if isinstance(reset, str | int) else None} if told else None
    return {**given, "rate_limit": kept, "api_key_id": given.get("api_key_id") or given.get("id")}


def _loop(given: dict[str, Any]) -> dict[str, Any]:
    people = [_member(one) for one in _list(given.get("members"))]
    made = given.get("created_at") or _EPOCH
    known = {name: value for name, value in given.items() if value is not None and name != "members"}
    return {
        "icon": "shield-check", "creator_id": "", "member_count": len(people), "pending_count": 0, "created_at": made,
        "updated_at": made, **known, **({"members": people} if "members" in given else {}),
    }  # fmt: skip


def _member(given: dict[str, Any]) -> dict[str, Any]:
    status = given.get("status")
    return {
        **given, "user_id": given.get("user_id") or given.get("id"), "role": given.get("role") or "member",
        "status": status if status == "active" else "pending",
    }  # fmt: skip
