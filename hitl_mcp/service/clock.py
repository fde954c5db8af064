"""Time as the service counts it: milliseconds since 1970, UTC."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], int]
"""Reads the wall clock. Tests bring their own."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wall_clock() -> int:
    """Now."""
    return time.time_ns() // 1_000_000


def moment(milliseconds: int) -> datetime:
    """The same point in time as an aware datetime."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds(at: datetime) -> int:
    """An aware datetime as the service counts it."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def maybe_moment(milliseconds: int | None) -> datetime | None:
    """`moment`, for a column that may be empty."""
    return None if milliseconds is None else moment(milliseconds)
