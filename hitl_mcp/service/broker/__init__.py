"""Wake-ups (D7). They carry ids at most; the row is the truth, and losing one costs time, never a decision."""

from __future__ import annotations

from typing import Protocol

from hitl_mcp.service.store.base import Notice


class Broker(Protocol):
    """Tells that something was committed. Implementations: `local.LocalBroker`, `postgres.PostgresBroker`."""

    def publish(self, notices: list[Notice]) -> None:
        """Wake whoever waits. Called on the event loop, after the commit."""
        ...

    async def wait(self, seconds: float) -> None:
        """Return at the next wake-up, at once when one came since the last call, or after `seconds`."""
        ...
