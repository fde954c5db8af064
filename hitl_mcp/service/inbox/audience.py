"""Who is at the open pages, and what concerns them: looked up once for all of them, however many there are.

Every change is judged by a look that began after it, so whoever has just left a loop is told nothing of it any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

from hitl_mcp.errors import HITLError
from hitl_mcp.service import rows
from hitl_mcp.service.membership import joined_by_each
from hitl_mcp.service.store.base import Store, Tx


@dataclass(frozen=True, slots=True)
class Look:
    """What was so at one moment.

    Attributes:
        handed_out: how many entries of the log had been handed out before it.
        loops: of each person at a page.
        waiting: open requests in each loop; None while the database cannot be read.
    """

    handed_out: int
    loops: dict[str, frozenset[str]]
    waiting: dict[str, int] | None

    def loops_of(self, user_id: str) -> frozenset[str]:
        """The loops of a person at a page; none while that is not known."""
        return self.loops.get(user_id, frozenset())

    def open_for(self, user_id: str) -> int | None:
        """How many requests wait in them."""
        if self.waiting is None:
            return None
        return sum(self.waiting.get(loop_id, 0) for loop_id in self.loops_of(user_id))


_NOTHING = Look(-1, {}, None)


@dataclass(slots=True, eq=False)
class Audience:
    """The people at the open pages of one service process.

    Args:
        store: where loops and requests are.
    """

    store: Store
    _people: Counter[str] = field(default_factory=Counter[str])
    _last: Look = _NOTHING
    _looking: anyio.Lock = field(default_factory=anyio.Lock)

    @contextmanager
    def joined(self, user_id: str) -> Generator[None]:
        """A person's page is open for as long as the block runs."""
        self._people[user_id] += 1
        try:
            yield
        finally:
            self._people[user_id] -= 1
            if not self._people[user_id]:
                del self._people[user_id]

    async def look(self, user_id: str, handed_out: int) -> Look:
        """What is so now; pages that ask at the same time share one look.

        Args:
            user_id: whose page asks.
            handed_out: how many entries of the log were handed out by now, the page's own news among them.
        """
        async with self._looking:
            if self._last.handed_out < handed_out or user_id not in self._last.loops:
                self._last = await self._now(handed_out)
            return self._last

    async def _now(self, handed_out: int) -> Look:
        people = list(self._people)

        def read(tx: Tx) -> Look:
            return Look(handed_out, joined_by_each(tx, people), rows.open_count_of_each(tx))

        try:
            return await self.store.read(read)
        except HITLError:  # a sick disk is no reason to end the stream; the page looks again when it is back
            return _NOTHING
