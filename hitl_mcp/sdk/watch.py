"""One watcher serves all waiting requests of a client (D7).

A waiter registers, looks, waits, looks again. The stream only wakes; what it says is read from the request itself. When
the stream is cut it is opened again where it ended; when it is silent or lies, a slow look at the event log remains.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import Protocol

import anyio

from hitl_mcp.backoff import pause
from hitl_mcp.contract.models import Change, ReviewRequest
from hitl_mcp.errors import HITLError, ServiceFault, ServiceNotStarted, Unreachable

log = logging.getLogger(__name__)

SLOW_LOOK_SECONDS = 20.0
LINGER_SECONDS = 20.0
"""How long the stream stays open after the last waiter, because agents ask in bursts."""
MAX_BACKOFF_SECONDS = 5.0
_LEAVES_OPEN = ("created", "delivered", "feedback")
"""Changes after which whoever has just been told of a request knows nothing less of it."""


class Source(Protocol):
    """What the watcher needs of the client."""

    async def get_request(self, request_id: str) -> ReviewRequest:
        """The request as it stands."""
        ...

    async def changes_after(self, position: int | None) -> tuple[list[Change], int]:
        """What happened after a position."""
        ...

    def stream(self, after: int | None) -> AsyncIterator[Change | int]:
        """Positions (on opening) and changes, as they happen."""
        ...


class Watch:
    """One waiter's view of one request.

    Attributes:
        request: as last seen.
    """

    def __init__(self, source: Source, request: ReviewRequest) -> None:
        self._source = source
        self.request = request
        self.news = anyio.Event()
        self._closed: ReviewRequest | None = None

    def tell(self, change: Change) -> None:
        """Something happened. A closed request comes along and is final; anything else is read when it is needed."""
        told = change.request
        if told is not None and told.id == self.request.id and not told.status.is_open:
            self._closed = told
        self.news.set()

    async def changed(self, seconds: float) -> bool:
        """Wait up to `seconds` for something to happen to the request; read it again when it does.

        A backend that does not answer is asked again until the time is over, so that a wait outlives its restart.

        Raises: what the backend refuses with; ServiceNotStarted.
        """
        until = anyio.current_time() + seconds
        with anyio.move_on_after(max(seconds, 0)):
            await self.news.wait()
        if not self.news.is_set():
            return False
        self.news = anyio.Event()
        if self._closed is not None:
            self.request = self._closed
            return True
        try:
            fresh = await self._look(until)
        except BaseException:
            self.news.set()  # not looked yet
            raise
        if fresh is None:
            self.news.set()
            return False
        if fresh != self.request:  # else the waiter and its caller go on sharing one copy
            self.request = fresh
        return True

    async def _look(self, until: float) -> ReviewRequest | None:
        """The request as it stands, or nothing when the backend did not answer in time."""
        failures = 0
        while True:
            try:
                return await self._source.get_request(self.request.id)
            except ServiceNotStarted:
                raise
            except (Unreachable, ServiceFault) as fault:
                log.info("The request could not be read: %s", fault)
            failures += 1
            # also before giving up: who waits on must not ask without a pause
            await anyio.sleep(pause(0.05, failures, MAX_BACKOFF_SECONDS))
            if anyio.current_time() >= until:
                return None


class Watcher:
    """Keeps one stream open while anybody waits. `run` does the work, in a task of the client's owner."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._watches: dict[str, set[Watch]] = {}
        self._wanted = anyio.Event()
        self._position: int | None = None
        self._heard = 0

    def mark(self) -> int | None:
        """What was heard so far, to be remembered before a request is asked for or read; None when nothing is known.

        With a position, everything that happens from now on comes through the stream, also after it was cut.
        """
        return None if self._position is None else self._heard

    @contextmanager
    def watching(self, request: ReviewRequest, since: int | None = None) -> Generator[Watch]:
        """Register for a request.

        The first `changed` looks at once, because something may have happened before; it need not where `since`, the
        `mark` from before the request was read, says that nothing was heard in between (H21).
        """
        watch = Watch(self._source, request)
        if since is None or since != self.mark():
            watch.news.set()
        group = self._watches.setdefault(request.id, set())
        group.add(watch)
        self._wanted.set()
        try:
            yield watch
        finally:
            group.discard(watch)
            if not group:
                self._watches.pop(request.id, None)

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._wanted.wait()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._follow)
                tasks.start_soon(self._look_now_and_then)
                await self._until_unwanted()
                tasks.cancel_scope.cancel()

    async def _until_unwanted(self) -> None:
        idle = 0.0
        while idle < LINGER_SECONDS:
            await anyio.sleep(LINGER_SECONDS / 4)
            idle = 0.0 if self._watches else idle + LINGER_SECONDS / 4
        self._wanted = anyio.Event()
        if self._watches:  # somebody came between the last look and now
            self._wanted.set()

    async def _follow(self) -> None:
        failures = 0
        while True:
            try:
                async for item in self._source.stream(self._position):
                    failures = 0
                    if isinstance(item, Change):
                        self._tell(item)
                    elif self._position is None:
                        # nothing is known about the time before this position, so every waiter looks once
                        self._position = item
                        self._wake_all()
            except HITLError as error:
                log.info("The event stream ended: %s", error)
                failures += 1
            # soon, because a restarted service is back within a second; also after a clean end, which a process that is
            # ending gives to whoever comes again too early
            await anyio.sleep(pause(0.05, failures, MAX_BACKOFF_SECONDS))

    async def _look_now_and_then(self) -> None:
        while True:
            await anyio.sleep(SLOW_LOOK_SECONDS)
            try:
                changes, position = await self._source.changes_after(self._position)
            except HITLError as error:
                log.info("The event log could not be read: %s", error)
                continue
            for change in changes:
                self._tell(change)
            if self._position is None:
                self._position = position
                self._wake_all()

    def _tell(self, change: Change) -> None:
        self._position = max(self._position or 0, change.position)
        if change.type not in _LEAVES_OPEN:
            self._heard += 1
        for watch in self._watches.get(change.request_id, ()):
            watch.tell(change)

    def _wake_all(self) -> None:
        for group in self._watches.values():
            for watch in group:
                watch.news.set()
