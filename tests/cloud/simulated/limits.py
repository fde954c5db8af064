"""100 calls in an hour and key (1.4)."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cloud.simulated.manners import Manners
from tests.cloud.simulated.records import Key
from tests.cloud.simulated.wire import Json, Reply, iso

HOUR = 3600


@dataclass(frozen=True)
class Usage:
    """How much of the hour is used.

    Attributes:
        reset: when the hour ends.
    """

    limit: int
    used: int
    reset: float

    @property
    def remaining(self) -> int:
        """Calls left."""
        return self.limit - self.used

    def headers(self, manners: Manners, now: float) -> dict[str, str]:
        """The three of every reply."""
        told = {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Remaining": str(self.remaining)}
        resets = {"right": int(self.reset), "past": int(now) - HOUR, "milliseconds": int(self.reset * 1000)}
        if manners.reset != "missing":
            told["X-RateLimit-Reset"] = str(resets[manners.reset])
        return told

    def refusal(self, manners: Manners, now: float) -> Reply:
        """The 429 (1.3, 1.4)."""
        usage: Json = {
            "usage_count": self.used, "usage_limit": self.limit, "remaining": 0, "reset_at": iso(self.reset),
        }  # fmt: skip
        body: Json = {"error": True, "msg": manners.limit_message}
        if manners.usage_data == "data":
            body["data"] = usage
        elif manners.usage_data == "text":
            body["data"] = f"{self.used} of {self.limit} calls used, resets at {iso(self.reset)}"
        elif manners.usage_data == "top":
            body |= usage
        wait = {"Retry-After": str(max(1, int(self.reset - now)))} if manners.retry_after else {}
        return Reply(429, body, wait)


def usage(key: Key, limit: int, manners: Manners, now: float) -> Usage:
    """The key's hour as it stands; an hour that is over is forgotten."""
    if manners.window == "top_of_hour":
        begin = now // HOUR * HOUR
        if key.first is not None and key.first < begin:
            key.first, key.used = None, 0
        return Usage(limit, key.used, begin + HOUR)
    if key.first is not None and now >= key.first + HOUR:
        key.first, key.used = None, 0
    return Usage(limit, key.used, (now if key.first is None else key.first) + HOUR)


def count(key: Key, limit: int, manners: Manners, now: float) -> bool:
    """Count one call of any kind, also one that fails. Returns: whether it was within the limit."""
    if usage(key, limit, manners, now).remaining <= 0:
        return False
    if key.first is None:
        key.first = now
    key.used += 1
    return True
