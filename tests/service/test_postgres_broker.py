"""What every `Broker` must keep, and what only one over a network has to prove (D7, H25)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
import pytest

from hitl_mcp.service.broker import Broker
from hitl_mcp.service.broker.local import LocalBroker
from hitl_mcp.service.broker.postgres import PostgresBroker
from hitl_mcp.service.store import Notice, Tx
from hitl_mcp.service.store.connect import CHANNEL
from hitl_mcp.service.store.postgres import PostgresStore, open_postgres
from tests import postgres
from tests.world import WAIT, eventually, settled

pytestmark = pytest.mark.anyio

BEAT = 0.2
FOREVER = 3_600.0


@asynccontextmanager
async def listening(url: str, *, origin: str = "", heartbeat_seconds: float = BEAT) -> AsyncGenerator[PostgresBroker]:
    """A broker that hears, with nothing to tell yet."""
    broker = PostgresBroker(url, origin=origin, heartbeat_seconds=heartbeat_seconds)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(broker.run)
        await hears(broker)
        await broker.wait(0)
        yield broker
        tasks.cancel_scope.cancel()


async def hears(broker: PostgresBroker) -> None:
    """Wait until the broker listens."""

    async def is_listening() -> bool:
        return broker.listening

    await eventually(is_listening)


@asynccontextmanager
async def local_broker() -> AsyncGenerator[Broker]:
    """Inside one process."""
    yield LocalBroker()


@asynccontextmanager
async def postgres_broker() -> AsyncGenerator[Broker]:
    """Over a database of its own."""
    async with postgres.database() as url, listening(url) as broker:
        yield broker


BROKERS: dict[str, Callable[[], AbstractAsyncContextManager[Broker]]] = {
    "local": local_broker,
    "postgresql": postgres_broker,
}


@pytest.fixture(params=BROKERS)
async def broker(request: pytest.FixtureRequest) -> AsyncGenerator[Broker]:
    """Each broker in turn."""
    async with BROKERS[request.param]() as made:
        yield made


@pytest.fixture
async def url() -> AsyncGenerator[str]:
    """A database of this test."""
    async with postgres.database() as address:
        yield address


@pytest.fixture
async def store(url: str) -> AsyncGenerator[PostgresStore]:
    """The store of another process."""
    made = await open_postgres(url)
    yield made
    await made.aclose(WAIT)


async def woken(broker: Broker) -> None:
    """A wake-up must come."""
    with anyio.fail_after(WAIT):
        await broker.wait(FOREVER)


async def quiet(broker: Broker) -> bool:
    """Whether nothing has come since the last wait."""
    with anyio.move_on_after(0) as scope:
        await broker.wait(FOREVER)
    return scope.cancelled_caught


async def told(store: PostgresStore, *request_ids: str) -> None:
    """Commit something that is announced."""

    def unit(tx: Tx) -> None:
        tx.notices.extend(Notice(1, request_id) for request_id in request_ids)

    await store.write(unit)


async def test_who_waits_is_woken(broker: Broker) -> None:
    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(broker.wait, FOREVER)
            await settled()
            broker.publish([Notice(1, "a")])


async def test_a_wake_up_that_came_while_nobody_waited_is_kept_and_used_once(broker: Broker) -> None:
    broker.publish([Notice(1, "a")])
    broker.publish([Notice(2, "b")])
    await woken(broker)
    assert await quiet(broker)


async def test_without_a_wake_up_the_wait_ends_by_itself(broker: Broker) -> None:
    with anyio.fail_after(WAIT):
        await broker.wait(0.01)


async def test_a_commit_of_another_process_wakes(store: PostgresStore, url: str) -> None:
    async with listening(url) as broker:
        await told(store, "a")
        await woken(broker)


async def test_more_ids_than_a_notification_holds_still_wake(store: PostgresStore, url: str) -> None:
    async with listening(url) as broker:
        await told(store, *(f"{number:024}" for number in range(1_000)))
        await woken(broker)


async def test_a_unit_that_failed_wakes_nobody_and_one_without_notices_neither(store: PostgresStore, url: str) -> None:
    def fails(tx: Tx) -> None:
        tx.notices.append(Notice(1, "a"))
        raise ValueError("no")

    async with listening(url) as broker:
        with pytest.raises(ValueError, match="no"):
            await store.write(fails)
        await store.write(lambda tx: tx.now)
        await postgres.server().run(f"NOTIFY {CHANNEL}_other", database=postgres.name_of(url))
        assert await quiet(broker)


async def test_the_own_commits_are_not_heard_a_second_time(store: PostgresStore, url: str) -> None:
    async with listening(url, origin=store.origin) as own, listening(url) as other:
        store.on_commit(own.publish)
        await told(store, "a")
        await woken(own)
        await woken(other)  # by now the announcement is out
        await told(store)
        assert await quiet(own)


async def test_heartbeats_wake_nobody(url: str) -> None:
    async with listening(url, heartbeat_seconds=0.02) as broker, listening(url, heartbeat_seconds=0.02) as other:
        await anyio.sleep(0.3)  # many beats of both
        assert await quiet(broker)
        assert await quiet(other)
        assert broker.listening and other.listening


async def test_a_line_that_went_dead_without_a_word_is_found_out(store: PostgresStore, url: str) -> None:
    async with postgres.through_a_wire(url) as (wire, far), listening(far) as broker:
        wire.go_silent()
        await told(store, "unheard")
        await woken(broker)  # because something may have gone unheard

        async def is_back() -> bool:
            return wire.connections == 2 and broker.listening

        await eventually(is_back)
        await broker.wait(0)
        await told(store, "heard")
        await woken(broker)


async def test_a_line_that_was_closed_is_found_out_before_the_next_heartbeat(store: PostgresStore, url: str) -> None:
    async with listening(url, heartbeat_seconds=FOREVER) as broker:
        await postgres.server().run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{postgres.name_of(url)}'"
        )
        await woken(broker)
        await hears(broker)
        await broker.wait(0)
        await told(store, "heard")
        await woken(broker)


async def test_a_database_that_was_away_is_heard_again(store: PostgresStore, url: str) -> None:
    async with postgres.through_a_wire(url) as (wire, far), listening(far) as broker:
        wire.refusing = True
        await postgres.server().run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{postgres.name_of(url)}'"
        )

        async def is_deaf() -> bool:
            return not broker.listening

        await eventually(is_deaf)
        await told(store, "unheard")
        wire.refusing = False
        await hears(broker)
        await woken(broker)
        await broker.wait(0)
        await told(store, "heard")
        await woken(broker)
