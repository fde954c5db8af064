"""The event log as a live feed: read once per wake-up, handed to every waiter and every open stream (D6, D7).

Nothing depends on a wake-up but speed: without one, the log is read again every few seconds.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
from sqlalchemy import Select, bindparam, func, select

from hitl_mcp.contract.models import Change, ReviewRequest
from hitl_mcp.contract.states import Status
from hitl_mcp.errors import ServiceFault
from hitl_mcp.service.broker import Broker
from hitl_mcp.service.rows import find_view
from hitl_mcp.service.store.base import Store, Tx
from hitl_mcp.service.store.tables import events, requests

log = logging.getLogger(__name__)

RECHECK_SECONDS = 5.0
BATCH = 100
CLOSING = ("completed", "timeout", "cancelled")

_after: Select[*tuple[Any, ...]] = (
    select(events.c.position, events.c.request_id, events.c.type, requests.c.status, requests.c.api_key_id)
    .join(requests, requests.c.id == events.c.request_id)
    .where(events.c.position > bindparam("position"))
    .order_by(events.c.position)
    .limit(BATCH)
)
_last = select(func.coalesce(func.max(events.c.position), 0))


@dataclass(slots=True, eq=False)
class Subscription:
    """One open stream. `api_key_id` limits it to one agent's requests; without it everything is seen."""

    api_key_id: str | None
    changes: deque[Change] = field(default_factory=deque[Change])
    waiting: anyio.Event = field(default_factory=anyio.Event)

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
        self._position = 0
        self._subscriptions: set[Subscription] = set()
        self._waiters: dict[str, set[anyio.Event]] = {}
        self.closed = False

    @property
    def position(self) -> int:
        """The last entry that was handed out."""
        return self._position

    async def start(self) -> None:
        """Begin at the end of the log."""
        self._position = await self._store.read(lambda tx: tx.connection.execute(_last).scalar_one())

    async def run(self) -> None:
        """Hand out news until cancelled."""
        while True:
            await self._broker.wait(RECHECK_SECONDS)
            try:
                await self.look()
            except ServiceFault as fault:  # the next look reads on from the same place
                log.warning("The event log could not be read: %s", fault)

    async def look(self) -> None:
        """Read what is new and hand it out."""
        while not self.closed:
            rows = await self._store.read(self._news)
            for api_key_id, change in rows:
                self._position = change.position
                for event in self._waiters.get(change.request_id, ()):
                    event.set()
                for subscription in self._subscriptions:
                    if subscription.api_key_id in (None, api_key_id):
                        subscription.changes.append(change)
                        subscription.waiting.set()
            if len(rows) < BATCH:
                return
            await anyio.lowlevel.checkpoint()

    def _news(self, tx: Tx) -> list[tuple[str, Change]]:
        found = tx.connection.execute(_after, {"position": self._position}).all()
        return [(row.api_key_id, _change(row, _closed(tx, row))) for row in found]

    async def since(self, position: int, api_key_id: str) -> list[Change]:
        """What happened to one agent's requests after `position`, straight from the log."""
        query = _after.where(requests.c.api_key_id == api_key_id)
        return await self._store.scan(
            lambda tx: [_change(row) for row in tx.connection.execute(query, {"position": position})]
        )

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


def _change(row: Any, request: ReviewRequest | None = None) -> Change:
    status = Status(row.status)
    return Change(position=row.position, request_id=row.request_id, type=row.type, status=status, request=request)
