"""PostgreSQL: any number of processes, each with a few connections (D4).

A unit runs in one transaction (READ COMMITTED; what must not be decided twice is guarded in its UPDATE). Every unit is
a task of its own that no caller can cancel, so no connection is left in the middle of a statement, and what was
submitted commits (H26).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio
import asyncpg
from sqlalchemy import BigInteger, Connection, Integer, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from hitl_mcp.backoff import pause
from hitl_mcp.errors import NotConfigured, ServiceFault
from hitl_mcp.service.store.base import Notice, Tx, Unit
from hitl_mcp.service.store.connect import CHANNEL, OUTBOX, connect, dsn
from hitl_mcp.service.store.lines import Lines
from hitl_mcp.service.store.migrate_postgres import prepare_postgres, unusable
from hitl_mcp.service.store.postgres_faults import RETRY_AFTER_SECONDS, meaning, unknown_outcome

log = logging.getLogger(__name__)
T = TypeVar("T")

WRITERS = 8
READERS = 6
SCANNERS = 4
"""Of the readers; the others stay free for short reads."""
MAX_WAITING = 5_000
SUBMIT_SECONDS = 25.0
"""How long a caller waits for its unit; a stuck database is then an error, not a hung agent (H36)."""
PROBE_SECONDS = 3.0
"""The first statement on a pooled connection answers at once, or the connection is dead."""
ATTEMPTS = 5
OUTCOME_SECONDS = 5.0
LONG_PAYLOAD = 4_000

_MILLISECONDS = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_NOW = text(f"SELECT {_MILLISECONDS} AS now").columns(now=BigInteger)
# The transaction's number is taken before anything else, above all before a position in the log (H23).
_BEGUN = text(
    f"SELECT {_MILLISECONDS} AS now, pg_current_xact_id()::text::bigint AS id, pg_backend_pid() AS pid"
).columns(now=BigInteger, id=BigInteger, pid=Integer)
_NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', :payload)")
_OUTCOME = text(
    "SELECT pg_xact_status(CAST(CAST(:id AS bigint)::text AS xid8)), "
    "(extract(epoch FROM checkpoint_time) * 1000)::bigint FROM pg_control_checkpoint()"
)
_NEVER_GIVEN = "22023"
"""What PostgreSQL says of a number that is in the future: after a crash it is not known any more."""
# Ends the session that still holds the transaction, and no other that may have got its process number since.
_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid = :pid AND backend_xid = CAST(CAST(CAST(:id AS bigint)::text AS xid8) AS xid)"
)


@dataclass(frozen=True, slots=True)
class _Begun:
    """What the first statement of a unit said: times in milliseconds, the number of its transaction and session."""

    now: int
    database_now: int
    id: int = 0
    pid: int = 0


class PostgresStore:
    """The `Store` over a PostgreSQL database. Made by `open_postgres`.

    Args:
        url: `postgresql://...`.
        clock: milliseconds since 1970; None for the database's own clock, which all processes share (H22).

    Attributes:
        origin: marks the announcements of this store, so that its own process need not hear them twice.
    """

    commits_in_order = False

    def __init__(self, url: str, clock: Callable[[], int] | None = None) -> None:
        self._url = url
        self._clock = clock
        self.origin = secrets.token_hex(4)
        self._listeners: list[Callable[[list[Notice]], None]] = []
        self._lines = Lines()
        self._writers = _engine(url, WRITERS, self._lines, read_only=False)
        self._readers = _engine(url, READERS, self._lines, read_only=True)
        self._write_gate = asyncio.Semaphore(WRITERS)
        self._read_gate = asyncio.Semaphore(READERS)
        self._scan_gate = asyncio.Semaphore(SCANNERS)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._ahead = 0

    def on_commit(self, listener: Callable[[list[Notice]], None]) -> None:
        """See `Store`."""
        self._listeners.append(listener)

    async def write(self, unit: Unit[T]) -> T:
        """See `Store`. A caller that is cancelled does not stop its unit: what was submitted commits (H26)."""

        async def work() -> T:
            async with self._write_gate:
                return await self._repeated(lambda: self._transaction(unit))

        return await self._submit(work)

    async def read(self, unit: Unit[T]) -> T:
        """See `Store`."""

        async def work() -> T:
            async with self._read_gate:
                return await self._repeated(lambda: self._look(unit))

        return await self._submit(work)

    async def scan(self, unit: Unit[T]) -> T:
        """See `Store`."""

        async def work() -> T:
            async with self._scan_gate, self._read_gate:
                return await self._repeated(lambda: self._look(unit))

        return await self._submit(work)

    async def scrub(self) -> None:
        """See `Store`: dead rows are the server's; its autovacuum, or VACUUM FULL, takes them away."""

    def now(self) -> int:
        """The time that units see, as far as it is known without asking: milliseconds since 1970.

        For timers; it is set right with every unit that runs.
        """
        return _wall() + self._ahead if self._clock is None else self._clock()

    async def aclose(self, timeout: float = 0.5) -> None:
        """Refuse new units, finish the ones taken for at most `timeout` seconds, then let go of the database (H26)."""
        self._closing = True
        with anyio.CancelScope(shield=True):  # a service is often ended by a cancellation; every step here is bounded
            if self._tasks:
                _, late = await asyncio.wait(self._tasks, timeout=timeout)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)
            for engine in (self._writers, self._readers):
                try:
                    async with asyncio.timeout(PROBE_SECONDS):
                        await engine.dispose()
                except (OSError, DBAPIError) as error:
                    log.info("A connection could not be closed properly: %s", error)

    async def _submit(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._closing:
            raise ServiceFault("The service is ending. Try again in a moment; it is started when needed")
        if len(self._tasks) >= MAX_WAITING:
            raise ServiceFault("Too much is being asked of the database at once", {"retry_after": RETRY_AFTER_SECONDS})
        task = asyncio.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout(SUBMIT_SECONDS):
                return await asyncio.shield(task)
        except TimeoutError:
            words = "The database did not answer in time. Ask for the request's state before trying again"
        except asyncio.CancelledError:
            if not (self._closing and task.cancelled()):
                raise  # the caller was cancelled, its unit goes on
            words = "The service is ending. Ask for the request's state before trying again"
        raise ServiceFault(words)

    async def _repeated(self, attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Units are pure, so one that is known to have left no trace may run again."""
        number = 0
        while True:
            number += 1
            try:
                return await attempt()
            except Exception as error:
                known = meaning(error)
                if known is None:  # the unit's own
                    raise
                if not known.again or number == ATTEMPTS:
                    raise known.fault from error
                log.info("A unit of work runs again: %s", error)
            await asyncio.sleep(pause(0.02, number, longest=1))

    async def _look(self, unit: Unit[T]) -> T:
        async with _connected(self._readers) as connection:
            now = (await self._first(connection, _NOW)).now
            return await connection.run_sync(lambda sync: unit(Tx(sync, now)))

    async def _transaction(self, unit: Unit[T]) -> T:
        def work(sync: Connection) -> tuple[T, list[Notice]]:
            tx = Tx(sync, begun.now)
            result = unit(tx)
            if tx.notices:
                sync.execute(_NOTIFY, {"payload": self._payload(tx.notices)})
            return result, tx.notices

        async with _connected(self._writers) as connection:
            begun = await self._first(connection, _BEGUN)
            result, notices = await connection.run_sync(work)
            await self._commit(connection, begun)
        if notices:
            for listener in self._listeners:
                listener(notices)
        return result

    async def _first(self, connection: AsyncConnection, statement: Any) -> _Begun:
        """The statement every unit begins with; it also finds out whether the connection still lives."""
        asked = time.monotonic()
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                now, *ids = (await connection.execute(statement)).one()
        except TimeoutError:
            self._lines.silent_since(asked)
            raise
        self._ahead = now - _wall()
        return _Begun(now if self._clock is None else self._clock(), now, *ids)

    async def _commit(self, connection: AsyncConnection, begun: _Begun) -> None:
        try:
            await connection.commit()
        except Exception as error:
            known = meaning(error)
            if known is not None and not known.lost:  # the server has answered: no
                raise
            await connection.invalidate()
            kept = await self._kept(begun)
            if kept is None:
                raise unknown_outcome() from error
            if not kept:
                raise
            log.warning("The connection broke during a COMMIT that is durable")

    async def _kept(self, begun: _Begun) -> bool | None:
        """Whether a transaction whose COMMIT was not answered is durable; None when that cannot be found out."""
        try:
            async with asyncio.timeout(OUTCOME_SECONDS):
                while True:
                    try:
                        async with _connected(self._readers) as connection:
                            status, checkpoint = (await connection.execute(_OUTCOME, {"id": begun.id})).one()
                            if status == "committed":
                                # after a crash numbers that never reached the disk are given again, so this may be
                                # another's; every recovery ends with a checkpoint
                                return True if checkpoint // 1_000 < begun.database_now // 1_000 else None
                            if status != "in progress":
                                return False
                            await connection.execute(_END, {"id": begun.id, "pid": begun.pid})
                    except (SQLAlchemyError, OSError) as error:
                        if getattr(getattr(error, "orig", None), "sqlstate", "") == _NEVER_GIVEN:
                            return False
                        log.info("The outcome of a COMMIT could not be asked for yet: %s", error)
                    await asyncio.sleep(0.05)
        except TimeoutError:
            return None

    def _payload(self, notices: list[Notice]) -> str:
        posted = {OUTBOX for notice in notices if notice.target is not None}
        ids = " ".join((*posted, *dict.fromkeys(notice.request_id for notice in notices if notice.position)))
        return f"{self.origin} {ids if len(ids) <= LONG_PAYLOAD else ' '.join((*posted, 'look'))}"


def _wall() -> int:
    return time.time_ns() // 1_000_000


async def open_postgres(url: str, clock: Callable[[], int] | None = None) -> PostgresStore:
    """The store over a database, which is made ready when it is empty.

    Args:
        url: `postgresql://...` or `postgres://...`.
        clock: milliseconds since 1970; None for the database's own clock.

    Raises: NotConfigured when it cannot be used as it is; the words say what to do.
    """
    dsn(url)
    try:
        await prepare_postgres(url)
    except (OSError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise NotConfigured(unusable(url, error)) from error
    return PostgresStore(url, clock)


def _engine(url: str, size: int, lines: Lines, *, read_only: bool) -> AsyncEngine:
    async def creator(*_: Any, **__: Any) -> asyncpg.Connection:
        return await connect(url, read_only=read_only)

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=creator,
        pool_size=size,
        max_overflow=0,
        hide_parameters=True,  # what people ask and answer is not written to logs
        pool_timeout=SUBMIT_SECONDS,
        isolation_level="AUTOCOMMIT" if read_only else "READ COMMITTED",
    )
    lines.watch(engine)
    return engine


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """A connection of the pool. One that was lost, or cancelled in a statement, is not used again (H26)."""
    connection = await engine.connect()
    try:
        yield connection
    except BaseException as error:
        known = meaning(error)
        if not connection.invalidated and (not isinstance(error, Exception) or (known is not None and known.lost)):
            await connection.invalidate()
        raise
    finally:
        try:
            await connection.close()  # ends what was not committed
        except (OSError, DBAPIError) as error:  # must not hide that the unit has committed, or why it has not
            log.info("A connection could not be handed back: %s", error)
