"""What a call brings, and what goes back: the envelope (1.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from tests.cloud.simulated.records import Key

Json = dict[str, Any]


class Refused(Exception):
    """A call that is answered with an error.

    Attributes:
        status: of HTTP.
        msg: the exact text (1.6).
        data: a text, an object, or None where the envelope has no `data` (1.3).
    """

    def __init__(self, status: int, msg: str, data: str | Json | None = None) -> None:
        super().__init__(msg)
        self.status, self.msg, self.data = status, msg, data


@dataclass(frozen=True)
class Reply:
    """One reply: a JSON value, or a page of text."""

    status: int
    body: Json | str
    headers: dict[str, str] = field(default_factory=dict[str, str])


def success(msg: str, data: Json, status: int = 200) -> Reply:
    """The envelope of success (1.3)."""
    return Reply(status, {"error": False, "msg": msg, "data": data})


def failure(refused: Refused) -> Reply:
    """The envelope of an error (1.3)."""
    data = {} if refused.data is None else {"data": refused.data}
    return Reply(refused.status, {"error": True, "msg": refused.msg} | data)


def invalid(data: str) -> Refused:
    """`Validation failed`, with the reason as text (1.6)."""
    return Refused(400, "Validation failed", data)


@dataclass(frozen=True)
class Call:
    """One authenticated call of an operation.

    Attributes:
        path: the ids in the path, by name.
        query: the query; unknown names are ignored.
        content: the body as it came.
    """

    key: Key
    path: Mapping[str, str]
    query: Mapping[str, str]
    content: bytes

    def body(self) -> Json:
        """The body as an object. Raises: Refused."""
        try:
            value = json.loads(self.content, parse_constant=_refuse)
        except ValueError:
            raise Refused(400, "Invalid request body") from None
        if not isinstance(value, dict):
            raise Refused(400, "Invalid request body")
        return cast(Json, value)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def iso(seconds: float) -> str:
    """ISO 8601 in UTC with Z (1.8)."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_null(seconds: float | None) -> str | None:
    """The same, of a time that may not have come."""
    return None if seconds is None else iso(seconds)
