"""The event log as a live feed: read once per wake-up, handed to every waiter and every open stream (D6, D7).

Nothing depends on a wake-up but speed: without one, the log is read again every few seconds. Where commits become
visible out of order, a late entry is handed out when it appears, and what clients resume from stays below it until then
(H23): after a resume something may come twice, but nothing is skipped.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
from sqlalchemy import ARRAY, BigInteger, Select, bindparam, func, select
from sqlalchemy import any_ as any_of

from hitl_mcp.contract.models import Change, ReviewRequest
from hitl_mcp.contract.states import Status
from hitl_mcp.errors import ServiceFault
from hitl_mcp.service.broker import Broker
from hitl_mcp.service.positions import WINDOW, Positions
from hitl_mcp.service.rows import find_view
from hitl_mcp.service.store.base import Store, Tx
from hitl_mcp.service.store.commit_order import newest_begun, oldest_open
from hitl_mcp.service.store.tables import events, requests

log = logging.getLogger(__name__)

RECHECK_SECONDS = 5.0
QUIET_SECONDS = 1.0
"""Who begins to listen is told of changes from then on; what came before is in the rows, and at most this much of it
comes along."""
BATCH = 100
MOST_UNREAD = 1_000
"""Changes that are kept for a stream whose reader is slow, or asleep."""
WHOLE_UNREAD = 20
"""Of them those that are kept with their request."""
CLOSING = ("completed", "timeout", "cancelled")

_entries: Select[*tuple[Any, ...]] = select(
    events.c.position, events.c.request_id, events.c.type, requests.c.status, requests.c.api_key_id, requests.c.loop_id
).join(requests, requests.c.id == events.c.request_id)
_after = _entries.where(events.c.position > bindparam("position")).order_by(events.c.position)
_next = _after.limit(BATCH)
_late = _entries.where(events.c.position == any_of(bindparam("missing", type_=ARRAY(BigInteger)))).order_by(
    events.c.position
)
_last = select(func.coalesce(func.max(events.c.position), 0))
_tail = select(events.c.position).where(events.c.position > bindparam("position")).order_by(events.c.position)


@dataclass(frozen=True, slots=True)
class _News:
    """One look at the log: entries, and what can be said of the ones that are not there (see `Positions`)."""

    rows: list[tuple[Any, ReviewRequest | None]]
    more: bool
    gaps: list[int]
    bound: int
    oldest: int


@dataclass(slots=True, eq=False)
class Subscription:
    """One open stream. `api_key_id` limits it to one agent's requests; without it everything is seen.

    Attributes:
        lost: it was read too slowly, and the oldest changes were let go; whoever needs each of them begins anew.
    """

    api_key_id: str | None
    changes: deque[Change] = field(default_factory=deque[Change])
    waiting: anyio.Event = field(default_factory=anyio.Event)
    lost: bool = False

    def heard(self, change: Change, bare: Change) -> None:
        """Keep a change until it is read.

        Args:
            bare: the same without its request, which may be long.
        """
        if len(self.changes) >= MOST_UNREAD:
            self.lost = True
            self.changes.popleft()
        whole = self.api_key_id is not None and len(self.changes) < WHOLE_UNREAD
        self.changes.append(change if whole else bare)
        self.waiting.set()

    async def next_changes(self, seconds: float) -> list[Change]:
        """What has happened since the last call; waits up to `seconds` for something."""
        if not self.changes:
            with anyio.move_on_after(seconds):
                await self.waiting.wait()
        self.waiting = anyio.Event()
        news = list(self.changes)
        self.changes.clear()
        return news


class Feed:
    """Reads the log forward and tells who is interested.

    Args:
        store: where the log is.
        broker: wakes the reader.
    """

    def __init__(self, store: Store, broker: Broker) -> None:
        self._store = store
        self._broker = broker
        self._positions = Positions()
        self._looking = anyio.Lock()
        self._looked_at = float("-inf")
        self._subscriptions: set[Subscription] = set()
        self._waiters: dict[str, set[anyio.Event]] = {}
        self.closed = False
        self.handed_out = 0
        """How many entries this process has handed out."""

    @property
    def cursor(self) -> int:
        """Where a client may resume: everything up to here was handed out, and nothing can appear there any more."""
        return self._positions.cursor

    async def start(self) -> None:
        """Begin at the end of the log; what is missing near it may still appear."""
        self._positions = await self._store.scan(self._end)

    def _end(self, tx: Tx) -> Positions:
        last = tx.connection.execute(_last).scalar_one()
        if self._store.commits_in_order:
            return Positions(last)
        found = Positions(max(0, last - WINDOW))
        seen = tx.connection.execute(_tail, {"position": found.last}).scalars().all()
        gaps = found.gaps(seen)
        found.saw(seen, gaps, newest_begun(tx) if gaps else 0)
        return found

    async def run(self) -> None:
        """Hand out news until cancelled. While nobody listens the log is read once a second, not at every commit."""
        while True:
            await self._broker.wait(RECHECK_SECONDS)
            if not (self._subscriptions or self._waiters) and time.monotonic() - self._looked_at < QUIET_SECONDS:
                continue
            try:
                await self.look()
            except ServiceFault as fault:  # the next look reads on from the same place
                log.warning("The event log could not be read: %s", fault)

    async def look(self) -> None:
        """Read what is new and hand it out."""
        async with self._looking:
            self._looked_at = time.monotonic()
            while not self.closed:
                news = await self._store.read(self._news)
                if news.oldest:
                    self._positions.ended(news.oldest)
                self._positions.saw([row.position for row, _ in news.rows], news.gaps, news.bound)
                for row, request in news.rows:
                    self._hand_out(row.api_key_id, _change(row, self.cursor, request))
                if not news.more:
                    return
                await anyio.lowlevel.checkpoint()

    def _hand_out(self, api_key_id: str, change: Change) -> None:
        self.handed_out += 1
        for event in self._waiters.get(change.request_id, ()):
            event.set()
        bare = change if change.request is None else change.model_copy(update={"request": None})
        for subscription in self._subscriptions:
            if subscription.api_key_id in (None, api_key_id):
                subscription.heard(change, bare)

    def _news(self, tx: Tx) -> _News:
        known = self._positions
        # before the missing are looked for: who has ended by then is either found by that look, or left nothing
        oldest = oldest_open(tx) if known.missing else 0
        late = tx.connection.execute(_late, {"missing": list(known.missing)}).all() if known.missing else ()
        fresh = tx.connection.execute(_next, {"position": known.last}).all()
        gaps = [] if self._store.commits_in_order else known.gaps(row.position for row in fresh)
        bound = newest_begun(tx) if gaps else 0  # after the look that found them: who took them has begun by now
        rows = [(row, _closed(tx, row)) for row in (*late, *fresh)]
        return _News(rows, len(fresh) == BATCH, gaps, bound, oldest)

    async def since(self, position: int, api_key_id: str) -> list[Change]:
        """What happened to one agent's requests after a cursor, straight from the log: one page, or nothing.

        Each change carries the cursor to go on from. While that cannot move (an entry below is still missing), the page
        is as long as it takes.
        """
        safe = None
        if not self._store.commits_in_order:
            await self.look()  # so that only what is really missing holds the cursor back
            safe = max(position, self.cursor)
        query = _after.where(requests.c.api_key_id == api_key_id)

        def page(tx: Tx) -> list[Change]:
            rows = tx.connection.execute(query.limit(BATCH), {"position": position}).all()
            if safe is not None and len(rows) == BATCH and rows[0].position > safe:
                rows = tx.connection.execute(query, {"position": position}).all()
            return [_change(row, safe) for row in rows]

        return await self._store.scan(page)

    @contextmanager
    def subscribed(self, api_key_id: str | None) -> Generator[Subscription]:
        """A subscription for as long as the block runs."""
        subscription = Subscription(api_key_id)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    @contextmanager
    def watching(self, request_id: str) -> Generator[anyio.Event]:
        """An event that is set when something happens to this request. Register, look, wait, look again."""
        event = anyio.Event()
        waiters = self._waiters.setdefault(request_id, set())
        waiters.add(event)
        try:
            yield event
        finally:
            waiters.discard(event)
            if not waiters:
                self._waiters.pop(request_id, None)

    def close(self) -> None:
        """Let every stream and waiter return."""
        self.closed = True
        for subscription in self._subscriptions:
            subscription.waiting.set()
        for events_ in self._waiters.values():
            for event in events_:
                event.set()


def _closed(tx: Tx, row: Any) -> ReviewRequest | None:
    return find_view(tx, row.request_id) if row.type in CLOSING else None


def _change(row: Any, safe: int | None, request: ReviewRequest | None = None) -> Change:
    position = row.position if safe is None else min(row.position, safe)
    status = Status(row.status)
    return Change(
        position=position, request_id=row.request_id, loop_id=row.loop_id, type=row.type, status=status, request=request
    )
