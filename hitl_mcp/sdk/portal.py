"""An event loop in a thread, for callers without one."""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

import anyio
from anyio.from_thread import BlockingPortal

T = TypeVar("T")


class Portal:
    """Runs coroutine functions in a thread of its own, started at the first call.

    A forked child has no threads of its parent, so it starts its own: what was made before the fork is left behind
    there. The thread is a daemon: a program that forgets to close its client still ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._portal: BlockingPortal | None = None
        self._pid = 0

    @property
    def is_fresh(self) -> bool:
        """Whether this process has not used it yet."""
        return self._portal is None or self._pid != os.getpid()

    def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run it to its end and return its result. Interrupting the caller (Ctrl+C) cancels it."""
        future: Future[T] = self._running().start_task_soon(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the thread."""
        if not self.is_fresh and self._portal is not None:
            self._portal.call(self._portal.stop)
        self._portal = None

    def start(self) -> None:
        """Start the thread, which the first call does otherwise."""
        self._running()

    def _running(self) -> BlockingPortal:
        if self.is_fresh:
            if self._pid != os.getpid():
                self._lock = threading.Lock()  # the parent's may have been held while it forked
            with self._lock:
                if self.is_fresh:
                    self._portal, self._pid = _started(), os.getpid()
        if self._portal is None:
            raise RuntimeError("the client was closed while it was used")
        return self._portal


def _started() -> BlockingPortal:
    ready: Future[BlockingPortal] = Future()

    async def serve() -> None:
        async with BlockingPortal() as portal:
            ready.set_result(portal)
            await portal.sleep_until_stopped()

    threading.Thread(target=anyio.run, args=(serve,), name="hitl-mcp", daemon=True).start()
    return ready.result()
