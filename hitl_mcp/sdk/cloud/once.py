"""The same question once, as our own service does it (D12, H1, H2); here in the memory of one process.

A key finds the request it made while that is open, for an hour after the decision while nobody collected it, and for
two minutes after it was handed over. After that it is a new question.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from hitl_mcp.contract.models import NewRequest, ReviewRequest
from hitl_mcp.contract.text import digest
from hitl_mcp.errors import Conflict

UNCOLLECTED_SECONDS = 3_600.0
REPEAT_SECONDS = 120.0
_MOST = 1_000
"""Keys remembered; the oldest are forgotten, and their questions would be asked again."""


@dataclass(slots=True)
class Entry:
    """What a key stands for.

    Attributes:
        asked: digest of what is asked.
        turn: one create at a time.
        marker: of a create whose outcome is not known.
        sent: when that was first sent.
        request_id: of the request that it made.
    """

    asked: str
    turn: anyio.Lock = field(default_factory=anyio.Lock)
    marker: str | None = None
    sent: float = 0.0
    request_id: str | None = None


class Once:
    """The keys of one process.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[str, Entry] = {}

    def entry(self, key: str, loop_id: str, new: NewRequest) -> Entry:
        """What the key stands for. Raises: Conflict when that is another question (H1)."""
        asked = digest({"loop_id": loop_id, **new.model_dump(mode="json")})
        found = self._entries.setdefault(key, Entry(asked))
        if found.asked != asked:
            raise Conflict(
                "This idempotency key was used for a different question. Use a new key for a new question",
                {"request_id": found.request_id},
            )
        while len(self._entries) > _MOST:
            self._entries.pop(next(iter(self._entries)))
        return found

    def still_stands(self, request: ReviewRequest, delivered: float | None) -> bool:
        """Whether a key still stands for the request that it made.

        Args:
            delivered: when an agent first had the decision.
        """
        if request.status.is_open:
            return True
        if delivered is not None:
            return abs(self._clock() - delivered) < REPEAT_SECONDS
        closed = request.response_at or request.cancelled_at or request.timeout_at
        return abs(self._clock() - closed.timestamp()) < UNCOLLECTED_SECONDS
