"""The outbox gap (H23): on PostgreSQL an entry may become visible after one with a higher position; none is skipped."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest
from sqlalchemy import insert, select, text

from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.models import Change
from hitl_mcp.service.broker.local import LocalBroker
from hitl_mcp.service.feed import BATCH, Feed
from hitl_mcp.service.lifecycle.record import note
from hitl_mcp.service.store import Tx, Unit
from hitl_mcp.service.store.postgres import PostgresStore, open_postgres
from hitl_mcp.service.store.tables import api_keys, events, loops, requests, users
from tests import postgres
from tests.service.hold import Hold
from tests.world import WAIT

pytestmark = pytest.mark.anyio

AGENT = new_id()
LOOP = new_id()


def people(tx: Tx) -> None:
    """A unit that makes who asks and where."""
    stamp = {"created_at": tx.now, "updated_at": tx.now}
    user_id = new_id()
    tx.connection.execute(insert(users), {"id": user_id, "name": "Ada", "created_at": tx.now})
    tx.connection.execute(insert(api_keys), {"id": AGENT, "user_id": user_id, "name": "agent", "created_at": tx.now})
    tx.connection.execute(insert(loops), {"id": LOOP, "name": "loop", "icon": "bell", "creator_id": user_id, **stamp})


def asked(request_id: str) -> Unit[None]:
    """A unit that keeps a request with the first entry of its log."""

    def unit(tx: Tx) -> None:
        creator = tx.connection.execute(select(users.c.id)).scalar_one()
        row = {
            "id": request_id, "loop_id": LOOP, "creator_id": creator, "api_key_id": AGENT, "kind": "review",
            "status": "pending", "revision": 1, "view_digest": "", "seq": 1, "processing_type": "deferred",
            "type": "markdown", "priority": "low", "request_text": "?", "response_type": "text",
            "response_config": "{}", "default_response": "null", "platform": "api", "timeout_at": tx.now + 3_600_000,
            "created_at": tx.now, "updated_at": tx.now,
        }  # fmt: skip
        tx.connection.execute(insert(requests), row)
        note(tx, request_id, 1, "created", "agent:test", {})

    return unit


class Gone(Exception):
    """A unit that gives up."""


def gone(tx: Tx) -> None:
    """Give up, after a position was taken."""
    raise Gone


class Log:
    """A log with two who read it: a subscriber, and one that comes back with its cursor again and again."""

    def __init__(self, store: PostgresStore) -> None:
        self.store = store
        self.feed = Feed(store, LocalBroker())
        self.told: list[str] = []
        self.read: list[str] = []
        self.cursor = 0

    async def ask(self) -> str:
        """One more entry; returns its request."""
        request_id = new_id()
        await self.store.write(asked(request_id))
        return request_id

    async def position_of(self, request_id: str) -> int:
        """Where a request's entry stands."""
        query = select(events.c.position).where(events.c.request_id == request_id)
        return await self.store.read(lambda tx: tx.connection.execute(query).scalar_one())

    async def resume(self) -> list[Change]:
        """Read on from the cursor, as a client does."""
        changes = await self.feed.since(self.cursor, AGENT)
        self.cursor = max([self.cursor, *(change.position for change in changes)])
        self.read += [change.request_id for change in changes]
        return changes


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Log]:
    """A log of one process."""
    store = await open_postgres(url)
    try:
        log = Log(store)
        await log.feed.start()
        log.cursor = log.feed.cursor
        yield log
    finally:
        await store.aclose(WAIT)


@pytest.fixture
async def url() -> AsyncGenerator[str]:
    """A database with an agent."""
    async with postgres.database() as address:
        store = await open_postgres(address)
        await store.write(people)
        await store.aclose(WAIT)
        yield address


@pytest.fixture
async def log(url: str) -> AsyncGenerator[Log]:
    """Its log."""
    async with opened(url) as made:
        yield made


async def test_what_commits_late_is_told_and_read_all_the_same(log: Log) -> None:
    late, early, above = new_id(), "", 0
    hold = Hold(asked(late))
    with anyio.fail_after(WAIT), log.feed.subscribed(AGENT) as news:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(log.store.write, hold)
            await hold.is_entered()
            early = await log.ask()
            await log.feed.look()
            first = await news.next_changes(0)
            assert [change.request_id for change in first] == [early], "what is there is told at once"
            await log.resume()
            assert log.read == [early]
            above = await log.position_of(early)
            assert first[0].position == log.cursor == log.feed.cursor == above - 2, "nobody resumes above the gap"
            for _ in range(3):  # however often one looks while it is open
                await log.feed.look()
            assert log.feed.cursor == above - 2
            hold.release()
        await log.feed.look()
        assert [change.request_id for change in await news.next_changes(0)] == [late]
        await log.resume()
        assert set(log.read) == {early, late}
        assert log.feed.cursor == log.cursor == above, "nothing is missing any more"


async def test_a_transaction_that_began_later_may_hold_a_lower_position(log: Log) -> None:
    """Its number is above every one that has *ended*, so a snapshot's bounds alone would declare it dead."""
    late, above = new_id(), new_id()
    began_first = Hold(then=asked(above))
    holds_position = Hold(asked(late))
    with anyio.fail_after(WAIT), log.feed.subscribed(AGENT) as news:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(log.store.write, began_first)
            await began_first.is_entered()
            tasks.start_soon(log.store.write, holds_position)
            await holds_position.is_entered()
            began_first.release()
            while not await news.next_changes(0):
                await log.feed.look()
            for _ in range(3):
                await log.feed.look()
            holds_position.release()
        await log.feed.look()
        assert [change.request_id for change in await news.next_changes(0)] == [late]


async def test_a_position_that_nobody_will_fill_holds_nobody_up(log: Log) -> None:
    hold = Hold(asked(new_id()), then=gone)
    at = 0

    async def give_up() -> None:
        with pytest.raises(Gone):
            await log.store.write(hold)

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(give_up)
            await hold.is_entered()
            early = await log.ask()
            await log.feed.look()
            at = await log.position_of(early)
            assert log.feed.cursor == at - 2
            hold.release()
        await log.feed.look()
    assert log.feed.cursor == at


async def test_a_process_that_starts_over_a_gap_finds_it(log: Log, url: str) -> None:
    late = new_id()
    hold = Hold(asked(late))
    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(log.store.write, hold)
            await hold.is_entered()
            early = await log.ask()
            async with opened(url) as other:
                assert other.feed.cursor == await other.position_of(early) - 2
                with other.feed.subscribed(AGENT) as news:
                    hold.release()
                    told: list[str] = []
                    while late not in told:
                        await other.feed.look()
                        told += [change.request_id for change in await news.next_changes(0)]
                assert told == [late]
                await other.resume()
                assert set(other.read) == {early, late}


async def test_a_gap_that_stays_open_for_long_hides_nothing_behind_it(log: Log) -> None:
    """Another program's long transaction keeps a dead position from being given up; readers go on."""
    many: list[str] = []
    hold = Hold(asked(new_id()), then=gone)
    foreign = Hold(lambda tx: tx.connection.execute(text("SELECT pg_current_xact_id()")).close())

    async def give_up() -> None:
        with pytest.raises(Gone):
            await log.store.write(hold)

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(log.store.write, foreign)
            await foreign.is_entered()
            tasks.start_soon(give_up)
            await hold.is_entered()
            hold.release()
            many += [await log.ask() for _ in range(BATCH + 20)]
            await log.feed.look()
            for _ in range(2):
                assert [change.request_id for change in await log.resume()] == many
            assert len({change.position for change in await log.resume()}) == 1
            foreign.release()
        await log.feed.look()
    await log.resume()
    await log.resume()
    assert log.cursor == log.feed.cursor == await log.position_of(many[-1])
    assert await log.resume() == []


async def test_without_gaps_a_position_is_its_own_cursor_page_by_page(log: Log) -> None:
    many = [await log.ask() for _ in range(2 * BATCH + 5)]
    await log.feed.look()
    while await log.resume():
        pass
    assert log.read == many
    assert log.cursor == log.feed.cursor


async def test_many_writers_of_whom_some_give_up_leave_no_reader_behind(log: Log, url: str) -> None:
    """Two processes follow the log while it is written to; each tells and reads everything that was kept."""
    chance = random.Random(23)
    kept: set[str] = set()
    done = anyio.Event()

    async def write(number: int) -> None:
        for _ in range(25):
            request_id, gives_up, pause = new_id(), chance.random() < 0.2, chance.random() * 0.01

            def unit(tx: Tx) -> None:
                asked(request_id)(tx)  # noqa: B023  # run within this round
                tx.connection.exec_driver_sql(f"SELECT pg_sleep({pause})")  # noqa: B023
                if gives_up:  # noqa: B023
                    raise Gone

            try:
                await log.store.write(unit)
                kept.add(request_id)
            except Gone:
                pass

    async def follow(reader: Log) -> None:
        with reader.feed.subscribed(AGENT) as news:
            while True:
                last = done.is_set()
                await reader.feed.look()
                reader.told += [change.request_id for change in await news.next_changes(0)]
                await reader.resume()
                if last:
                    break
        while await reader.resume():
            pass

    async with opened(url) as other:
        with anyio.fail_after(WAIT * 2):
            async with anyio.create_task_group() as tasks:
                for reader in (log, other):
                    tasks.start_soon(follow, reader)
                async with anyio.create_task_group() as writers:
                    for number in range(8):
                        writers.start_soon(write, number)
                done.set()
        for reader in (log, other):
            assert sorted(reader.told) == sorted(kept), "each is told once"
            assert set(reader.read) == kept
            await reader.feed.look()
            assert reader.feed.cursor == other.feed.cursor
