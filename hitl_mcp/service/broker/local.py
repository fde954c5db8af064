"""Wake-ups inside one process."""

from __future__ import annotations

import anyio

from hitl_mcp.service.store.base import Notice


class LocalBroker:
    """The `Broker` of a service that is alone on its database. One reader: the feed."""

    def __init__(self) -> None:
        self._woken = anyio.Event()

    def publish(self, notices: list[Notice]) -> None:
        """See `Broker`."""
        self._woken.set()

    async def wait(self, seconds: float) -> None:
        """See `Broker`."""
        with anyio.move_on_after(seconds):
            await self._woken.wait()
        if self._woken.is_set():
            self._woken = anyio.Event()
