"""A unit of work that stays in its transaction until a test lets it go on."""

from __future__ import annotations

import threading
import time
from typing import Any

import anyio.to_thread

from hitl_mcp.service.store import Tx, Unit
from tests.world import WAIT


class Hold:
    """On SQLite it waits on the writer's thread; on PostgreSQL, where units share the event loop, in the server.

    Args:
        first: what to do before waiting.
        then: what to do afterwards.
    """

    def __init__(self, first: Unit[Any] | None = None, then: Unit[Any] | None = None) -> None:
        self._first = first
        self._then = then
        self._entered = threading.Event()
        self._released = threading.Event()

    def __call__(self, tx: Tx) -> bool:
        """The unit."""
        if self._first is not None:
            self._first(tx)
        self._entered.set()
        if tx.connection.dialect.name == "sqlite":
            self._released.wait(WAIT)
        else:
            until = time.monotonic() + WAIT
            while not self._released.is_set() and time.monotonic() < until:
                tx.connection.exec_driver_sql("SELECT pg_sleep(0.005)")
        if self._then is not None:
            self._then(tx)
        return self._released.is_set()

    async def is_entered(self) -> None:
        """Wait until the unit sits in its transaction."""
        assert await anyio.to_thread.run_sync(self._entered.wait, WAIT)

    def release(self) -> None:
        """Let the unit go on."""
        self._released.set()
