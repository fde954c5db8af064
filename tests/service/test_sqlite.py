"""What SQLite alone can get wrong: full disks, failing commits, a full queue, and the end (H17, H18, H19, H26)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from sqlalchemy import insert

from hitl_mcp.contract import routes
from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.models import NewRequest
from hitl_mcp.errors import NotConfigured, ServiceFault
from hitl_mcp.service.store import Tx
from hitl_mcp.service.store.sqlite import SQLiteStore
from hitl_mcp.service.store.tables import api_keys, facts
from hitl_mcp.service.store.writer import MAX_UNITS, MAX_WAITING
from tests.service.stage import stage
from tests.service.test_storage import has, put, results_of, writer_held
from tests.world import WAIT, SimulatedClock, eventually, settled

pytestmark = pytest.mark.anyio

BIG = "x" * 1_000_000
NO_LIMIT = 1_000_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SQLiteStore]:
    """A store over a file of its own."""
    opened = SQLiteStore(tmp_path / "hitl.db", SimulatedClock(), tmp_path / "backups")
    yield opened
    await anyio.to_thread.run_sync(opened.close, WAIT)


def put_big(tx: Tx) -> str:
    """More than fits when the disk is full."""
    tx.connection.execute(insert(facts), {"name": "big", "value": BIG})
    return "big"


async def fill_up(store: SQLiteStore, *, pages: int) -> None:
    """Let the file grow by so many pages only."""

    def unit(tx: Tx) -> None:
        used = tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        tx.connection.exec_driver_sql(f"PRAGMA max_page_count = {used + pages}")

    await store.write(unit)


async def commits(store: SQLiteStore) -> int:
    """How many durable commits there were."""
    query = "SELECT CAST(value AS INTEGER) FROM facts WHERE name = 'commits'"
    return await store.read(lambda tx: tx.connection.exec_driver_sql(query).scalar_one())


async def test_on_a_full_disk_one_unit_fails_and_the_rest_of_its_group_commits(store: SQLiteStore) -> None:
    await fill_up(store, pages=5)
    first, fault, last = await results_of(store, put("first"), put_big, put("last"))
    assert (first, last) == ("first", "last")
    assert isinstance(fault, ServiceFault)
    assert fault.status == 503
    assert "disk is full" in fault.message
    assert [await has(store, name) for name in ("first", "big", "last")] == [True, False, True]
    await fill_up(store, pages=NO_LIMIT)
    assert await store.write(put_big) == "big"
    assert await has(store, "big")


async def test_a_unit_that_hides_a_full_disk_fails_all_the_same(store: SQLiteStore) -> None:
    """SQLite has rolled everything back by itself; what the unit returns would be a lie."""

    def hiding(tx: Tx) -> str:
        put("hidden")(tx)
        try:
            return put_big(tx)
        except Exception:
            return "all is well"

    await fill_up(store, pages=5)
    first, fault, last = await results_of(store, put("first"), hiding, put("last"))
    assert (first, last) == ("first", "last")
    assert isinstance(fault, ServiceFault)
    assert [await has(store, name) for name in ("first", "hidden", "last")] == [True, False, True]


async def test_when_the_commit_itself_fails_only_its_cause_fails(store: SQLiteStore) -> None:
    """A broken reference that SQLite was told to check at COMMIT only."""

    def orphan(tx: Tx) -> str:
        put("orphan")(tx)
        tx.connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        row = {"id": new_id(), "user_id": new_id(), "name": "of nobody", "created_at": tx.now}
        tx.connection.execute(insert(api_keys), row)
        return "orphan"

    first, fault, last = await results_of(store, put("first"), orphan, put("last"))
    assert (first, last) == ("first", "last")
    assert isinstance(fault, ServiceFault)
    assert [await has(store, name) for name in ("first", "orphan", "last")] == [True, False, True]
    assert await store.write(put("later")) == "later"


async def test_waiting_units_share_commits_but_never_more_than_a_group(store: SQLiteStore) -> None:
    before = await commits(store)
    units = [put(f"fact {number}") for number in range(3 * MAX_UNITS)]
    assert await results_of(store, *units) == [f"fact {number}" for number in range(3 * MAX_UNITS)]
    made = await commits(store) - before
    assert 1 + 3 <= made < 3 * MAX_UNITS


async def test_a_full_queue_refuses_and_says_when_to_come_back(store: SQLiteStore) -> None:
    with anyio.fail_after(2 * WAIT):
        async with anyio.create_task_group() as tasks, writer_held(store):
            for number in range(MAX_WAITING):
                tasks.start_soon(store.write, put(f"fact {number}"))
            await settled()
            with pytest.raises(ServiceFault, match="Too much") as refused:
                await store.write(put("one too many"))
            assert (refused.value.status, refused.value.retry_after) == (503, 1)
            assert not await has(store, "fact 0")  # reading goes on
    assert await has(store, f"fact {MAX_WAITING - 1}")
    assert not await has(store, "one too many")
    assert await store.write(put("room again")) == "room again"


async def test_a_client_comes_back_to_a_full_queue_when_it_is_told_to(folder: Path) -> None:
    async with stage(folder) as on:
        new = NewRequest(request_text="?", response_config={"options": ["a"]})
        path = routes.LOOP_REQUESTS.format(loop_id=on.loop_id)
        asked: list[str] = []

        async def ask() -> None:
            asked.append((await on.ask_again(new, "K")).request_id)

        with anyio.fail_after(2 * WAIT):
            async with anyio.create_task_group() as tasks, writer_held(on.services.store):
                for number in range(MAX_WAITING):
                    tasks.start_soon(on.services.store.write, put(f"fact {number}"))
                await settled()
                refused = await on.wire.send("POST", path, new.model_dump(mode="json"))
                assert (refused.status, refused.headers["retry-after"]) == (503, "1")
                assert refused.body["error"] is True
                tasks.start_soon(ask)
                reply = await on.wire.send("GET", routes.REQUESTS)
                assert (reply.status, reply.data["total"]) == (200, 0)
        assert len(asked) == 1


async def test_an_ending_store_finishes_what_it_took_and_takes_no_more(store: SQLiteStore) -> None:
    results: list[str] = []

    async def one(name: str) -> None:
        results.append(await store.write(put(name)))

    async def refuses() -> bool:
        try:
            with anyio.move_on_after(0.05):  # what it still takes waits for the writer
                await store.write(lambda tx: tx.now)
        except ServiceFault as fault:
            assert "ending" in fault.message
            return True
        return False

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks, writer_held(store):
            for name in ("a", "b", "c"):
                tasks.start_soon(one, name)
            await settled()
            tasks.start_soon(anyio.to_thread.run_sync, store.close, WAIT)
            await eventually(refuses)
            assert results == []
    assert results == ["a", "b", "c"]
    assert await refuses()


async def test_what_was_committed_is_there_in_the_next_life(tmp_path: Path) -> None:
    for life in range(3):
        store = SQLiteStore(tmp_path / "hitl.db", SimulatedClock(), tmp_path / "backups")
        assert await store.write(put(f"life {life}")) == f"life {life}"
        assert await has(store, "life 0")
        store.close(WAIT)


async def test_a_damaged_file_is_refused_with_words_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "hitl.db"
    store = SQLiteStore(path, SimulatedClock(), tmp_path / "backups")
    await store.write(put_big)
    store.close(WAIT)
    whole = path.read_bytes()
    for damaged in (b"no database at all, but long enough to be looked at" * 100, whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(NotConfigured, match="damaged"):
            SQLiteStore(path, SimulatedClock(), tmp_path / "backups")
        assert path.read_bytes() == damaged
