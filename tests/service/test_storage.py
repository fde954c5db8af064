"""What every `Store` must keep: the storage contract suite (D4, D5, H26)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from sqlalchemy import Integer, Text, cast, func, insert, select, update

from hitl_mcp.contract.ids import new_id
from hitl_mcp.errors import Conflict, ServiceFault
from hitl_mcp.service.store import Notice, Store, Tx, Unit
from hitl_mcp.service.store.postgres import WRITERS, PostgresStore, open_postgres
from hitl_mcp.service.store.sqlite import SQLiteStore
from hitl_mcp.service.store.tables import api_keys, facts
from tests import postgres
from tests.service.hold import Hold
from tests.world import WAIT, SimulatedClock, eventually, settled

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def sqlite_store(folder: Path, clock: SimulatedClock) -> AsyncGenerator[Store]:
    """SQLite over a file of its own."""
    store = SQLiteStore(folder / "hitl.db", clock, folder / "backups")
    try:
        yield store
    finally:
        await anyio.to_thread.run_sync(store.close, WAIT)


@asynccontextmanager
async def postgres_store(folder: Path, clock: SimulatedClock) -> AsyncGenerator[Store]:
    """PostgreSQL over a database of its own."""
    async with postgres.database() as url:
        store = await open_postgres(url, clock)
        try:
            yield store
        finally:
            await store.aclose(WAIT)


OpenStore = Callable[[Path, SimulatedClock], AbstractAsyncContextManager[Store]]
STORES: dict[str, OpenStore] = {"sqlite": sqlite_store, "postgresql": postgres_store}


@pytest.fixture
def clock() -> SimulatedClock:
    """The clock of the store."""
    return SimulatedClock()


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: SimulatedClock) -> AsyncGenerator[Store]:
    """Each store in turn, empty."""
    async with STORES[request.param](tmp_path, clock) as opened:
        yield opened


def put(name: str) -> Unit[str]:
    """A unit that keeps a fact and returns its name."""

    def unit(tx: Tx) -> str:
        tx.connection.execute(insert(facts), {"name": name, "value": "kept"})
        return name

    return unit


def put_then_fail(name: str, error: Exception) -> Unit[str]:
    """A unit that keeps a fact, tells of it, and fails."""

    def unit(tx: Tx) -> str:
        put(name)(tx)
        tx.notices.append(Notice(1_000, name))
        raise error

    return unit


def count_up(tx: Tx) -> int:
    """A unit that counts, and announces the number it reached."""
    one_more = cast(cast(facts.c.value, Integer) + 1, Text)
    tx.connection.execute(update(facts).where(facts.c.name == "counter").values(value=one_more))
    reached = int(tx.connection.execute(select(facts.c.value).where(facts.c.name == "counter")).scalar_one())
    tx.notices.append(Notice(reached, "counter"))
    return reached


async def new_counter(store: Store) -> None:
    """A counter at nought."""
    await store.write(lambda tx: tx.connection.execute(insert(facts), {"name": "counter", "value": "0"}).rowcount)


async def has(store: Store, name: str) -> bool:
    """Whether a fact can be read."""
    query = select(func.count()).where(facts.c.name == name)
    return await store.read(lambda tx: tx.connection.execute(query).scalar_one()) == 1


def names(tx: Tx) -> set[str]:
    """A unit that reads what tests kept."""
    return set(tx.connection.execute(select(facts.c.name).where(facts.c.value == "kept")).scalars())


@asynccontextmanager
async def writer_held(store: Store) -> AsyncGenerator[None]:
    """Whoever writes sits in a unit for as long as the block runs, so that what is written meanwhile waits together."""
    holds = [Hold() for _ in range(WRITERS if isinstance(store, PostgresStore) else 1)]
    async with anyio.create_task_group() as tasks:
        for hold in holds:
            tasks.start_soon(store.write, hold)
            await hold.is_entered()
        try:
            yield
        finally:
            for hold in holds:
                hold.release()


async def results_of(store: Store, *units: Unit[Any]) -> list[Any]:
    """The results, or errors, of units that waited for the writer together."""
    results: list[Any] = [None] * len(units)

    async def one(index: int, unit: Unit[Any]) -> None:
        try:
            results[index] = await store.write(unit)
        except Exception as error:
            results[index] = error

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks, writer_held(store):
            for index, unit in enumerate(units):
                tasks.start_soon(one, index, unit)
            await settled()
    return results


async def test_who_has_a_result_can_read_what_it_tells_of(store: Store) -> None:
    """A result waits for the commit of its group: it never comes while a neighbour still runs uncommitted."""
    hold, slow = Hold(), Hold()
    done: list[str] = []

    async def first() -> None:
        done.append(await store.write(put("first")))

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.write, hold)
            await settled()
            tasks.start_soon(first)
            tasks.start_soon(store.write, slow)
            await settled()
            hold.release()
            await slow.is_entered()
            await settled()
            told = bool(done)
            assert await has(store, "first") or not told
            slow.release()
    assert done == ["first"]


async def test_many_writers_read_their_own_writes_at_once(store: Store) -> None:
    async def write_and_look(name: str) -> None:
        assert await store.write(put(name)) == name
        assert await has(store, name)

    async with anyio.create_task_group() as tasks:
        for number in range(200):
            tasks.start_soon(write_and_look, f"fact {number}")


async def test_a_failing_unit_leaves_no_trace_while_its_neighbours_commit(store: Store) -> None:
    own = Conflict("somebody was first", {"by": "Ada"})
    wrong = ValueError("a mistake of ours")
    results = await results_of(
        store, put("before"), put_then_fail("a", own), put("between"), put_then_fail("b", wrong), put("after")
    )
    assert results == ["before", own, "between", wrong, "after"]
    for name in ("before", "between", "after"):
        assert await has(store, name)
    for name in ("a", "b"):
        assert not await has(store, name)


async def test_a_unit_that_breaks_a_rule_of_the_schema_fails_alone_with_a_fault(store: Store) -> None:
    def orphan(tx: Tx) -> None:
        put("orphan")(tx)
        row = {"id": new_id(), "user_id": new_id(), "name": "of nobody", "created_at": tx.now}
        tx.connection.execute(insert(api_keys), row)

    once, fault, twice, after = await results_of(store, put("once"), orphan, put("once"), put("after"))
    assert after == "after"
    assert isinstance(fault, ServiceFault)
    assert {type(once), type(twice)} == {str, ServiceFault}, "one of the two was first"
    assert await has(store, "once") and await has(store, "after")
    assert not await has(store, "orphan")


async def test_a_caller_that_is_cancelled_does_not_undo_its_unit(store: Store) -> None:
    heard: list[Notice] = []
    store.on_commit(heard.extend)
    await new_counter(store)
    with anyio.fail_after(WAIT):
        async with writer_held(store), anyio.create_task_group() as tasks:
            tasks.start_soon(store.write, put("given up"))
            tasks.start_soon(store.write, count_up)
            await settled()
            tasks.cancel_scope.cancel()
        await eventually(lambda: has(store, "given up"))

    async def told() -> bool:
        return heard == [Notice(1, "counter")]

    await eventually(told)


async def test_reads_see_the_last_commit_and_wait_for_no_writer(store: Store) -> None:
    await store.write(put("committed"))
    hold = Hold(put("unfinished"))
    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.write, hold)
            await hold.is_entered()
            for _ in range(20):
                for look in (store.read, store.scan):
                    assert await look(names) == {"committed"}
            hold.release()
    for look in (store.read, store.scan):
        assert await look(names) == {"committed", "unfinished"}


async def test_a_read_that_writes_is_refused(store: Store) -> None:
    for look in (store.read, store.scan):
        with pytest.raises(ServiceFault):
            await look(put("smuggled"))
    assert not await has(store, "smuggled")


async def test_a_long_read_does_not_hold_up_the_others(store: Store) -> None:
    long = Hold()
    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.scan, long)
            await long.is_entered()
            assert await store.write(put("written meanwhile")) == "written meanwhile"
            for look in (store.read, store.scan):
                assert await look(names) == {"written meanwhile"}
            long.release()


async def test_an_error_of_a_read_is_the_readers_own(store: Store) -> None:
    def wrong(tx: Tx) -> None:
        raise Conflict("not so")

    for _ in range(10):  # more than there are readers: none is lost by it
        for look in (store.read, store.scan):
            with pytest.raises(Conflict, match="not so"):
                await look(wrong)
    assert not await has(store, "anything")


async def test_notices_are_announced_once_and_after_the_commit(store: Store) -> None:
    heard: list[int] = []
    too_early: list[int] = []
    seen = 0

    async def look() -> int:
        query = select(facts.c.value).where(facts.c.name == "counter")
        return int(await store.read(lambda tx: tx.connection.execute(query).scalar_one()))

    store.on_commit(lambda notices: heard.extend(notice.position for notice in notices))
    await new_counter(store)
    async with anyio.create_task_group() as tasks:
        for _ in range(150):
            tasks.start_soon(store.write, count_up)
        while len(heard) < 150:
            told = len(heard)
            seen = await look()
            await anyio.lowlevel.checkpoint()
            too_early += [position for position in heard[:told] if position > seen]
    assert sorted(heard) == list(range(1, 151))
    assert heard == sorted(heard) or not store.commits_in_order
    assert too_early == []


async def test_nothing_is_announced_of_a_unit_that_failed(store: Store) -> None:
    heard: list[Notice] = []
    store.on_commit(heard.extend)
    await new_counter(store)
    await results_of(store, put_then_fail("a", ValueError()), count_up, put_then_fail("b", Conflict("no")))

    async def told() -> bool:
        return bool(heard)

    await eventually(told)
    assert heard == [Notice(1, "counter")]


async def test_the_time_of_a_unit_is_read_when_it_runs_not_when_it_was_asked_for(
    store: Store, clock: SimulatedClock
) -> None:
    times: list[int] = []

    async def one() -> None:
        times.append(await store.write(lambda tx: tx.now))

    asked_at = clock.now
    async with anyio.create_task_group() as tasks, writer_held(store):
        tasks.start_soon(one)
        await settled()
        clock.move(8 * 3_600)
    assert times == [asked_at + 8 * 3_600_000]
