"""Deadlines (D9): at most a second late, and right after sleep or a changed clock (H22).

The nearest deadline is kept in memory; the wall clock is read again every second, because monotonic time stops while a
laptop sleeps. The database's guarded update decides, so any number of processes may run this.
"""

from __future__ import annotations

import logging

import anyio

from hitl_mcp.errors import ServiceFault
from hitl_mcp.service.clock import Clock
from hitl_mcp.service.lifecycle import Lifecycle

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
RELOAD_MS = 30_000


class Timers:
    """Expires what is due.

    Args:
        lifecycle: does the expiring.
        clock: milliseconds since 1970.
    """

    def __init__(self, lifecycle: Lifecycle, clock: Clock) -> None:
        self._lifecycle = lifecycle
        self._clock = clock
        self._nearest: int | None = None
        self._reload_at = 0
        lifecycle.on_due(self._note)

    def _note(self, due: int) -> None:
        if self._nearest is None or due < self._nearest:
            self._nearest = due

    async def run(self) -> None:
        """Look every second until cancelled."""
        while True:
            try:
                await self.tick()
            except ServiceFault as fault:  # a full disk must not end the timer; reads show overdue as timeout meanwhile
                log.warning("Deadlines could not be written: %s", fault)
            await anyio.sleep(TICK_SECONDS)

    async def tick(self) -> None:
        """Expire what is due now."""
        now = self._clock()
        due = self._nearest is not None and self._nearest <= now
        # a clock set back must not keep the next reload an hour away
        if due or now >= self._reload_at or self._reload_at > now + RELOAD_MS:
            if due or self._reload_at == 0:
                await self._lifecycle.act_on_due()
            await self._reload()
            self._reload_at = now + RELOAD_MS

    async def _reload(self) -> None:
        """Read the nearest deadline; one that is noted meanwhile may not be in what is read, and is kept."""
        known, self._nearest = self._nearest, None
        try:
            known = await self._lifecycle.nearest_due()
        finally:
            if known is not None:
                self._note(known)
