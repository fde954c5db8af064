"""An object that belongs to an event loop, used from threads without one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from weakref import WeakSet

import anyio

from hitl_mcp.errors import Unreachable

C = TypeVar("C")
T = TypeVar("T")

END_SECONDS = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class _Running(Generic[C]):
    inner: C
    loop: asyncio.AbstractEventLoop
    ended: asyncio.Event
    thread: threading.Thread
    calls: set[Future[Any]] = field(default_factory=set[Future[Any]])
    tasks: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])

    async def run(self, work: Callable[[C], Coroutine[Any, Any, T]]) -> T:
        """One call, known to whoever ends the loop."""
        task = asyncio.current_task()
        if task is not None:
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return await work(self.inner)

    def end(self) -> None:
        """From any thread."""
        with contextlib.suppress(RuntimeError):  # its loop has ended by itself
            self.loop.call_soon_threadsafe(self.ended.set)


class Portal(Generic[C]):
    """Runs coroutine functions of an object in a thread of its own, started at the first call.

    A forked child has no threads of its parent, so it starts its own: what was made before the fork is left behind
    there. The thread is a daemon: a program that forgets to close its client still ends.

    Args:
        make: the object, made anew for each thread; entered there, and left when it ends.
    """

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[C]]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._running: _Running[C] | None = None
        _portals.add(self)

    def call(self, work: Callable[[C], Coroutine[Any, Any, T]]) -> T:
        """Run it to its end and return its result. Interrupting the caller (Ctrl+C) cancels it.

        Raises: Unreachable when it is closed meanwhile; RuntimeError in a callback, which would wait for itself.
        """
        running = self._started()
        if threading.current_thread() is running.thread:
            raise RuntimeError("A callback of HITLClient cannot call the client. Do it after the call has returned.")
        call = running.run(work)
        try:
            future = asyncio.run_coroutine_threadsafe(call, running.loop)  # one hop; anyio's portal makes two
        except RuntimeError:
            call.close()
            raise Unreachable("The client was closed before the call; nothing was sent.") from None
        running.calls.add(future)
        try:
            return future.result()
        except CancelledError:
            raise Unreachable(
                "The client was closed during the call, so it is not known whether this took effect."
            ) from None
        except BaseException:
            future.cancel()
            raise
        finally:
            running.calls.discard(future)

    def close(self) -> None:
        """End the thread, and the calls that are under way. A later call starts another."""
        with self._lock:
            running, self._running = self._running, None
        if running is None:
            return
        running.end()
        running.thread.join(END_SECONDS)
        for future in tuple(running.calls):
            future.cancel()  # came too late for the loop

    def __del__(self) -> None:
        """A client that nobody has any more leaves no thread behind."""
        if (running := getattr(self, "_running", None)) is not None:
            running.end()

    def after_fork(self) -> None:
        """In a child: the parent's thread is not here, and its lock may have been held."""
        self._lock = threading.Lock()
        if self._running is not None:
            _left_behind.append(self._running)
            self._running = None

    def _started(self) -> _Running[C]:
        with self._lock:
            if self._running is None or not self._running.thread.is_alive():
                self._running = _start(self._make)
            return self._running


def _start(make: Callable[[], AbstractAsyncContextManager[C]]) -> _Running[C]:
    ready: Future[_Running[C]] = Future()

    async def serve() -> None:
        async with make() as inner:
            running = _Running(inner, asyncio.get_running_loop(), asyncio.Event(), threading.current_thread())
            ready.set_result(running)
            await running.ended.wait()
            if late := set(running.tasks):  # they end before the connections do
                for task in late:
                    task.cancel()
                await asyncio.wait(late, timeout=END_SECONDS / 2)

    def run() -> None:
        try:
            anyio.run(serve)
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    threading.Thread(target=run, name="hitl-mcp", daemon=True).start()
    return ready.result()


_portals: WeakSet[Portal[Any]] = WeakSet()
_left_behind: list[Any] = []
"""Kept for ever: taking it apart in a child would touch what the parent still uses."""


def _forget_parents() -> None:
    for portal in _portals:
        portal.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parents)
