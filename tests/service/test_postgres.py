"""What only a database on the other side of a network has to prove: every unit is kept once, or refused (H18, H26)."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from sqlalchemy import Integer, Text, cast, func, insert, select, text, update

from hitl_mcp.errors import ServiceFault
from hitl_mcp.service.store import Tx, Unit
from hitl_mcp.service.store.postgres import WRITERS, PostgresStore, open_postgres
from hitl_mcp.service.store.tables import facts
from tests import postgres
from tests.service.hold import Hold
from tests.world import WAIT, eventually

pytestmark = pytest.mark.anyio

LONG = 45.0


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[PostgresStore]:
    """The store over a database, with the database's own clock."""
    store = await open_postgres(url)
    try:
        yield store
    finally:
        await store.aclose(WAIT)


@pytest.fixture
async def url() -> AsyncGenerator[str]:
    """A database of this test."""
    async with postgres.database() as address:
        yield address


@pytest.fixture
async def store(url: str) -> AsyncGenerator[PostgresStore]:
    """Its store."""
    async with opened(url) as made:
        yield made


def put(name: str, value: str = "0") -> Unit[None]:
    """A unit that keeps a fact."""

    def unit(tx: Tx) -> None:
        tx.connection.execute(insert(facts), {"name": name, "value": value})

    return unit


def count(name: str) -> Unit[None]:
    """A unit that counts how often it was kept."""

    def unit(tx: Tx) -> None:
        one_more = cast(cast(facts.c.value, Integer) + 1, Text)
        assert tx.connection.execute(update(facts).where(facts.c.name == name).values(value=one_more)).rowcount == 1

    return unit


async def value_of(store: PostgresStore, name: str) -> str | None:
    """A fact as it is kept."""
    return await store.read(
        lambda tx: tx.connection.execute(select(facts.c.value).where(facts.c.name == name)).scalar()
    )


async def open_transactions(url: str) -> list[Any]:
    """What is still open in the database."""
    return await postgres.server().run(
        f"SELECT pid FROM pg_stat_activity WHERE datname = '{postgres.name_of(url)}' AND backend_xid IS NOT NULL"
    )


async def test_the_time_of_a_unit_is_the_databases(store: PostgresStore) -> None:
    def clock(tx: Tx) -> int:
        return tx.connection.exec_driver_sql("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)").scalar_one()

    before = await store.read(clock)
    now = await store.write(lambda tx: tx.now)
    after = await store.read(clock)
    assert before <= now <= after
    assert before <= await store.read(lambda tx: tx.now)


async def test_who_finds_nothing_and_makes_it_finds_what_another_made_meanwhile(store: PostgresStore) -> None:
    """Two units look, find nothing, and both make it: one makes it, the other runs again and finds it."""
    seen: list[str] = []

    def find_or_make(who: str) -> Unit[str]:
        def unit(tx: Tx) -> str:
            found = tx.connection.execute(select(facts.c.value).where(facts.c.name == "only one")).scalar()
            seen.append(f"{who} {found}")
            tx.connection.exec_driver_sql("SELECT pg_sleep(0.05)")
            if found is None:
                tx.connection.execute(insert(facts), {"name": "only one", "value": who})
            return found or who

        return unit

    results: list[str] = []

    async def one(who: str) -> None:
        results.append(await store.write(find_or_make(who)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one, "Ada")
        tasks.start_soon(one, "Grace")
    assert len(set(results)) == 1
    assert {"Ada None", "Grace None"} <= set(seen), "the two must have met"
    assert await value_of(store, "only one") == results[0]


async def test_units_that_lock_each_other_out_are_both_kept(store: PostgresStore) -> None:
    for name in ("a", "b"):
        await store.write(put(name))
    forth, back = Hold(count("a"), count("b")), Hold(count("b"), count("a"))
    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            for hold in (forth, back):
                tasks.start_soon(store.write, hold)
                await hold.is_entered()
            forth.release()
            back.release()
    assert [await value_of(store, name) for name in ("a", "b")] == ["2", "2"]


async def test_a_session_that_is_ended_before_its_commit_is_made_up_for(store: PostgresStore, url: str) -> None:
    await store.write(put("counter"))
    hold = Hold(count("counter"))
    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.write, hold)
            await hold.is_entered()
            await postgres.server().run(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{postgres.name_of(url)}'"
            )
            hold.release()
    assert await value_of(store, "counter") == "1"


async def until_the_last_checkpoint_is_past(url: str) -> None:
    """A COMMIT is not looked up when a checkpoint came since it began: there may have been a crash."""
    question = "SELECT checkpoint_time < date_trunc('second', clock_timestamp()) FROM pg_control_checkpoint()"

    async def is_past() -> bool:
        return (await postgres.server().run(question))[0][0]

    await eventually(is_past)


@pytest.mark.parametrize("how", ["lost", "broken", "unanswered"])
async def test_a_commit_without_an_answer_is_kept_exactly_once(url: str, how: str) -> None:
    async with postgres.through_a_wire(url) as (wire, far), opened(far) as store:
        await store.write(put("counter"))
        await until_the_last_checkpoint_is_past(url)
        wire.at_commit = how
        with anyio.fail_after(WAIT):
            await store.write(count("counter"))
        assert wire.at_commit == "", "the COMMIT has passed the wire"
        assert await value_of(store, "counter") == "1"
        assert await open_transactions(url) == []


async def test_a_commit_that_nobody_can_say_anything_about_is_called_so(url: str) -> None:
    async with postgres.through_a_wire(url) as (wire, far), opened(far) as store:
        await store.write(put("counter"))
        wire.at_commit = "unanswered"
        wire.refusing = True
        await cut_readers(url)
        with anyio.fail_after(WAIT), pytest.raises(ServiceFault, match="not known") as caught:
            await store.write(count("counter"))
        assert caught.value.retry_after is None, "nobody may repeat it blindly"
        wire.refusing = False
        assert await value_of(store, "counter") == "1"


async def cut_readers(url: str) -> None:
    """End the sessions that are open but in no transaction, except the ones that write."""
    await postgres.server().run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{postgres.name_of(url)}' AND query NOT LIKE 'COMMIT%'"
    )


async def test_a_database_that_is_away_refuses_with_words_and_is_back_by_itself(url: str) -> None:
    async with postgres.through_a_wire(url) as (wire, far), opened(far) as store:
        await store.write(put("counter"))
        wire.refusing = True
        await postgres.server().run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{postgres.name_of(url)}'"
        )
        for work in (store.write, store.read, store.scan):
            with anyio.fail_after(WAIT), pytest.raises(ServiceFault, match="nothing was changed") as caught:
                await work(count("counter"))
            assert caught.value.status == 503
            assert caught.value.retry_after
        wire.refusing = False
        await store.write(count("counter"))
        assert await value_of(store, "counter") == "1"


async def test_a_line_that_went_dead_without_a_word_costs_seconds_and_nothing_else(url: str) -> None:
    async with postgres.through_a_wire(url) as (wire, far), opened(far) as store:
        await store.write(put("counter"))
        assert await value_of(store, "counter") == "0"
        wire.go_silent()
        with anyio.fail_after(LONG):
            await store.write(count("counter"))
            assert await value_of(store, "counter") == "1"


async def test_that_all_lines_went_dead_is_found_out_once(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hitl_mcp.service.store.postgres")
    async with postgres.through_a_wire(url) as (wire, far), opened(far) as store:

        async def all_at_once() -> None:
            async with anyio.create_task_group() as tasks:
                for work in (store.write, store.read):
                    for _ in range(WRITERS):
                        tasks.start_soon(work, nap)

        await all_at_once()
        wire.go_silent()
        with anyio.fail_after(LONG):
            await store.write(nap)
            assert "runs again" in caplog.text
            caplog.clear()
            await all_at_once()
        assert "runs again" not in caplog.text


def nap(tx: Tx) -> None:
    """A unit that keeps its connection for a moment, so that others need theirs."""
    tx.connection.exec_driver_sql("SELECT pg_sleep(0.05)")


@pytest.mark.parametrize("how", ["fast", "immediate"])
async def test_a_restart_under_load_loses_and_doubles_nothing(store: PostgresStore, how: str) -> None:
    """Each unit counts on a fact of its own: kept means 1, refused 0, and only what is called unknown may be either."""
    units = 400
    await store.write(
        lambda tx: (
            tx.connection.execute(
                insert(facts), [{"name": f"unit {number}", "value": "0"} for number in range(units)]
            ).rowcount
        )
    )
    said: dict[int, str] = {}
    halfway, numbers = anyio.Event(), iter(range(units))

    async def work() -> None:
        for number in numbers:
            if number == units // 4:
                halfway.set()
            try:
                await store.write(count(f"unit {number}"))
                said[number] = "kept"
            except ServiceFault as fault:
                said[number] = "refused" if fault.retry_after else "unknown"

    with anyio.fail_after(LONG):
        async with anyio.create_task_group() as tasks:
            for _ in range(WRITERS * 2):
                tasks.start_soon(work)
            await halfway.wait()
            await postgres.server().restart(how)

    async def is_back() -> bool:
        try:
            return await value_of(store, "unit 0") is not None
        except ServiceFault:
            return False

    await eventually(is_back)
    rows = await store.scan(
        lambda tx: tx.connection.execute(select(facts.c.name, facts.c.value).where(facts.c.name.like("unit %"))).all()
    )
    assert len(said) == len(rows) == units
    wrong = {"kept": {"0"}, "refused": {"1"}, "unknown": set[str]()}
    for name, value in rows:
        word = said[int(name.removeprefix("unit "))]
        assert value in ("0", "1"), f"{name} was kept {value} times"
        assert value not in wrong[word], f"{name} was called {word} and stands at {value}"
    assert list(said.values()).count("kept") > units / 2


async def test_units_of_callers_that_gave_up_are_kept_and_no_session_is_spoilt(store: PostgresStore) -> None:
    await store.write(put("counter"))
    for _ in range(3):
        holds = [Hold(then=count("counter")) for _ in range(WRITERS)]
        async with anyio.create_task_group() as tasks:
            for hold in holds:
                tasks.start_soon(store.write, hold)
                await hold.is_entered()
            tasks.cancel_scope.cancel()
        for hold in holds:
            hold.release()

    async def all_kept() -> bool:
        return await value_of(store, "counter") == str(3 * WRITERS)

    await eventually(all_kept)


async def test_an_ending_store_keeps_what_is_quick_and_lets_go_of_what_is_stuck(url: str) -> None:
    store = await open_postgres(url)
    await store.write(put("counter"))
    stuck, quick = Hold(put("never")), Hold(then=count("counter"))
    faults: list[ServiceFault] = []

    async def write(unit: Unit[Any]) -> None:
        try:
            await store.write(unit)
        except ServiceFault as fault:
            faults.append(fault)

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            for hold in (stuck, quick):
                tasks.start_soon(write, hold)
                await hold.is_entered()
            quick.release()
            await store.aclose(0.5)
            with pytest.raises(ServiceFault, match="ending"):
                await store.write(count("counter"))
    assert len(faults) == 1
    rows = await postgres.server().run("SELECT name, value FROM facts", database=postgres.name_of(url))
    assert {row["name"]: row["value"] for row in rows} == {"commits": "0", "counter": "1"}

    async def nothing_left() -> bool:
        return await open_transactions(url) == []

    await eventually(nothing_left)


async def test_a_full_store_refuses_and_says_when_to_come_back(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hitl_mcp.service.store.postgres.MAX_WAITING", 3)
    holds = [Hold() for _ in range(3)]
    async with anyio.create_task_group() as tasks:
        for hold in holds:
            tasks.start_soon(store.write, hold)
            await hold.is_entered()
        with pytest.raises(ServiceFault) as caught:
            await store.write(put("one too many"))
        assert (caught.value.status, caught.value.retry_after) == (503, 1)
        for hold in holds:
            hold.release()


async def test_more_readers_than_connections_all_get_their_turn(store: PostgresStore) -> None:
    def all_facts(tx: Tx) -> int:
        return tx.connection.execute(select(func.count()).select_from(facts)).scalar_one()

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            for _ in range(200):
                tasks.start_soon(store.scan, all_facts)
                tasks.start_soon(store.read, all_facts)


async def test_a_full_disk_and_the_like_are_said_in_words(store: PostgresStore) -> None:
    def raises(state: str) -> Unit[None]:
        statement = text(f"DO $$ BEGIN RAISE EXCEPTION 'because' USING ERRCODE = '{state}'; END $$")
        return lambda tx: tx.connection.execute(statement).close()

    for state, words in (("53100", "disk of the database is full"), ("42501", "rights"), ("57014", "too long")):
        with pytest.raises(ServiceFault, match=words) as caught:
            await store.write(raises(state))
        assert caught.value.status == 503
    assert await store.write(lambda tx: tx.now)
