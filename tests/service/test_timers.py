"""The nearest deadline is kept in memory, and none is lost while it is read (D9)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
import pytest
from sqlalchemy import select

from hitl_mcp.contract.models import NewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.service import people
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.lifecycle import Lifecycle
from hitl_mcp.service.lifecycle.asking import Asked
from hitl_mcp.service.rows import history
from hitl_mcp.service.store import Notice, Store, Unit
from hitl_mcp.service.store.sqlite import SQLiteStore
from hitl_mcp.service.store.tables import loops
from hitl_mcp.service.timers import Timers
from tests.world import WAIT, SimulatedClock

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class LateReads:
    """A store whose reads come back when a test lets them, as over a slow line."""

    commits_in_order = True

    def __init__(self, store: Store) -> None:
        self._store = store
        self.has_read = anyio.Event()
        self.arrives = anyio.Event()

    async def read(self, unit: Unit[T]) -> T:
        """See `Store`."""
        result = await self._store.read(unit)
        self.has_read.set()
        await self.arrives.wait()
        return result

    async def write(self, unit: Unit[T]) -> T:
        """See `Store`."""
        return await self._store.write(unit)

    async def scan(self, unit: Unit[T]) -> T:
        """See `Store`."""
        return await self._store.scan(unit)

    async def scrub(self) -> None:
        """See `Store`."""

    def on_commit(self, listener: Callable[[list[Notice]], None]) -> None:
        """See `Store`."""
        self._store.on_commit(listener)


async def test_a_deadline_that_comes_while_the_nearest_is_read_is_kept_in_time(tmp_path: Path) -> None:
    clock = SimulatedClock()
    real = SQLiteStore(tmp_path / "hitl.db", clock, tmp_path / "backups")
    try:
        account = await real.write(people.local_account)
        loop_id = await real.read(lambda tx: tx.connection.execute(select(loops.c.id)).scalar_one())
        store = LateReads(real)
        lifecycle = Lifecycle(store)
        timers = Timers(lifecycle, clock)
        asked = Asked(NewRequest(kind=Kind.APPROVAL, request_text="May I?", timeout_seconds=60))
        made: list[str] = []
        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(timers.tick)
                await store.has_read.wait()
                agent = Agent(account.api_key_id, account.user_id)
                made.append((await lifecycle.create(agent, loop_id, asked, None)).request_id)
                store.arrives.set()
        clock.move(60)
        await timers.tick()
        entries = await real.read(lambda tx: history(tx, made[0]))
        assert [entry["type"] for entry in entries] == ["created", "timeout"]
    finally:
        await anyio.to_thread.run_sync(real.close, WAIT)
