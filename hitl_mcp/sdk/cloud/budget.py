"""What is known of a key's budget: the cloud's own words, made safe, and what is left for waiting (H31)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

HOUR = 3600.0
RESERVE = 20
"""Calls of each hour that waiting leaves for creates and cancels (H31)."""
LIMIT = 100
"""Calls an hour and key, where the cloud does not say."""
_LEAST_SHARE = 0.25
"""What waiting may use of what is really left, however much others are expected to spend."""
_MILLISECONDS_FROM = 1e11


@dataclass(frozen=True, slots=True)
class Facts:
    """What one answer said of the budget.

    Attributes:
        limit: calls an hour.
        remaining: calls left when the answer was given.
        resets_at: when the hour ends, seconds since 1970; where `exact` is false, the latest that it can end.
        exact: the cloud said so itself, and it can be true.
        at: when the call was sent; the facts hold at least what was spent before.
    """

    limit: int
    remaining: int
    resets_at: float
    exact: bool
    at: float


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent.

    Attributes:
        facts: the last known, or None before the first answer.
        own: this machine's calls since then.
        foreign: what others spent with this key in the last hour, as far as it can be seen.
    """

    facts: Facts | None = None
    own: int = 0
    foreign: int = 0

    def left(self, now: float) -> float:
        """Calls left in this hour; infinite while nothing is known."""
        if self.facts is None:
            return math.inf
        start = self.facts.limit if now >= self.facts.resets_at else self.facts.remaining
        return max(0, start - self.own)

    def until_reset(self, now: float) -> float:
        """Seconds until the hour ends, an hour at most (the clock may have been set)."""
        if self.facts is None or now >= self.facts.resets_at:
            return HOUR
        return min(HOUR, self.facts.resets_at - now)

    def room(self, now: float) -> float:
        """Calls that waiting may make until the hour ends: what others will need, by the last hour, is left to them."""
        really = self.left(now) - RESERVE
        if math.isinf(really) or really < 1:
            return really
        return max(really - self.foreign * self.until_reset(now) / HOUR, really * _LEAST_SHARE)

    def opens(self, now: float) -> float:
        """When waiting may make its next call: now, or when the hour ends."""
        return now if self.left(now) - RESERVE >= 1 else now + self.until_reset(now)

    def spacing(self, now: float) -> float:
        """Seconds between two looks, so that the room lasts until the hour ends."""
        room = self.room(now)
        return self.until_reset(now) / room if room > 0 else self.until_reset(now)

    def gone_until(self, now: float) -> float | None:
        """When there are calls again; None while there are some, or while nobody said when."""
        known = self.facts is not None and self.facts.exact and self.left(now) < 1
        return self.facts.resets_at if self.facts and known and now < self.facts.resets_at else None


def read_facts(status: int, headers: Mapping[str, str], body: bytes, at: float) -> Facts | None:
    """What an answer says of the budget (contract 1.3, 1.4), or None when it says nothing.

    A reset in milliseconds is understood. One in the past, or more than an hour ahead, is not believed: the hour then
    ends an hour after the call at the latest.

    Args:
        at: when the call was sent.
    """
    refused = status == 429
    usage = _usage(body) if refused else {}
    limit = _number(headers.get("X-RateLimit-Limit"), usage.get("usage_limit"))
    remaining = 0.0 if refused else _number(headers.get("X-RateLimit-Remaining"))
    if remaining is None:
        return None
    resets = _believed(_number(headers.get("X-RateLimit-Reset")), at) or _believed(_moment(usage.get("reset_at")), at)
    if resets is None and refused:
        wait = _number(headers.get("Retry-After"), usage.get("retry_after"))
        resets = None if wait is None else _believed(at + wait, at)
    known = int(limit) if limit is not None and 1 <= limit <= 1e6 else LIMIT
    left = max(0, min(int(remaining), known))
    return Facts(known, left, at + HOUR if resets is None else resets, resets is not None, at)


def _usage(body: bytes) -> dict[str, Any]:
    """The usage of a 429: an object under `data`, or at top level; as text it says nothing a program can rely on."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(parsed, dict):
        return {}
    envelope = cast("dict[str, Any]", parsed)
    data = envelope.get("data")
    return envelope | (cast("dict[str, Any]", data) if isinstance(data, dict) else {})


def _number(*values: object) -> float | None:
    for value in values:
        try:
            number = float(cast("str", value))
        except (TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(number):
            return number
    return None


def _moment(value: object) -> float | None:
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return _number(value)


def _believed(moment: float | None, at: float) -> float | None:
    if moment is None:
        return None
    seconds = moment / 1000 if moment > _MILLISECONDS_FROM else moment
    return seconds if at < seconds <= at + HOUR + 60 else None  # a minute, because two clocks differ
