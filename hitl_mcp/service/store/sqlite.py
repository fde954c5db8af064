"""SQLite: one connection that writes, a few that read, all in one process (H17)."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import anyio
import anyio.lowlevel
import anyio.to_thread
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.pool import NullPool, PoolProxiedConnection

from hitl_mcp.errors import NotConfigured, ServiceFault
from hitl_mcp.service.store.base import Notice, Tx, Unit
from hitl_mcp.service.store.migrate import prepare
from hitl_mcp.service.store.writer import GroupWriter, Job, storage_fault

T = TypeVar("T")
READERS = 4
BUSY_MS = 5_000
SUBMIT_SECONDS = 25.0
"""How long a caller waits for its unit; a stuck writer is then an error, not a hung agent (H36)."""


def _engine(path: Path, *, read_only: bool) -> Engine:
    # a URI, because only it can say mode=ro
    uri = f"file:{quote(path.as_posix())}?mode={'ro' if read_only else 'rwc'}&uri=true"
    engine = create_engine(
        f"sqlite:///{uri}",
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000, "cached_statements": 512},
    )

    def tune(connection: PoolProxiedConnection, _record: object) -> None:
        raw = connection.cursor()
        raw.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            raw.execute("PRAGMA journal_mode = WAL")
            raw.execute("PRAGMA synchronous = FULL")
            raw.execute("PRAGMA secure_delete = ON")  # what retention removes is overwritten with zeros
            if sys.platform == "darwin":  # elsewhere fsync is enough (H20)
                raw.execute("PRAGMA fullfsync = ON")
                raw.execute("PRAGMA checkpoint_fullfsync = ON")
        raw.close()

    event.listen(engine, "connect", tune)
    return engine


class SQLiteStore:
    """The `Store` over one SQLite file.

    Args:
        path: the database file; made and migrated when needed.
        clock: milliseconds since 1970.
        backups: folder for the copy made before a migration.

    Raises: NotConfigured when the file is damaged, cannot be written, or was made by a newer version.
    """

    commits_in_order = True  # one writer

    def __init__(self, path: Path, clock: Callable[[], int], backups: Path) -> None:
        self._clock = clock
        self._listeners: list[Callable[[list[Notice]], None]] = []
        self._write_engine = _engine(path, read_only=False)
        try:
            connection = self._write_engine.connect()
            try:
                prepare(connection, path, backups)
            except BaseException:
                connection.close()
                raise
        except (DBAPIError, sqlite3.Error) as error:
            raise NotConfigured(_unusable(path, error)) from error
        self._connection = connection
        self._read_engine = _engine(path, read_only=True)
        self._near = self._read_engine.connect()
        self._readers: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        for _ in range(READERS):
            self._readers.put(self._read_engine.connect())
        self._limiter = anyio.CapacityLimiter(READERS)
        self._writer = GroupWriter(connection, clock, self._deliver)

    def on_commit(self, listener: Callable[[list[Notice]], None]) -> None:
        """See `Store`."""
        self._listeners.append(listener)

    async def write(self, unit: Unit[T]) -> T:
        """See `Store`. A caller that is cancelled does not stop its unit: what was submitted commits (H26)."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.submit(unit, future)
        try:
            async with asyncio.timeout(SUBMIT_SECONDS):
                return await future
        except TimeoutError:
            raise ServiceFault(
                "The database did not answer in time. Ask for the request's state before trying again"
            ) from None

    async def read(self, unit: Unit[T]) -> T:
        """See `Store`. Done on the event loop: a few rows take less time than handing them to a thread and back."""
        await anyio.lowlevel.checkpoint()  # a caller that only reads must not keep the loop to itself
        return self._read(self._near, unit)

    async def scan(self, unit: Unit[T]) -> T:
        """See `Store`."""

        def work() -> T:
            connection = self._readers.get()
            try:
                return self._read(connection, unit)
            finally:
                self._readers.put(connection)

        return await anyio.to_thread.run_sync(work, limiter=self._limiter)

    async def scrub(self) -> None:
        """See `Store`: deleted content is zeroed in the file, and the write-ahead log is emptied into it."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer.checkpoint(future)
        await future

    def _read(self, connection: Connection, unit: Unit[T]) -> T:
        try:
            return unit(Tx(connection, self._clock()))
        except DBAPIError as error:
            raise storage_fault(error) from error

    def close(self, timeout: float = 0.5) -> None:
        """Finish what is queued for at most `timeout` seconds, then let go of the file."""
        self._writer.close(timeout)
        self._near.close()
        for _ in range(READERS):
            with contextlib.suppress(queue.Empty):  # one that still reads is closed with the process
                self._readers.get_nowait().close()
        if self._writer.ended:  # the last connection's end moves the write-ahead log into the file
            with contextlib.suppress(DBAPIError):
                self._connection.close()
        self._read_engine.dispose()
        self._write_engine.dispose()

    def _deliver(self, jobs: list[Job]) -> None:
        """On the writer's thread: hand a group over to the event loop in one step."""
        loop = jobs[0].future.get_loop()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more, and the row is the truth
            loop.call_soon_threadsafe(self._settle, jobs)

    def _settle(self, jobs: list[Job]) -> None:
        notices = [notice for job in jobs for notice in job.notices]
        if notices:  # first, because somebody waits for them; who wrote knows already
            for listener in self._listeners:
                listener(notices)
        for job in jobs:
            if job.future.done():  # its caller was cancelled
                continue
            if job.error is None:
                job.future.set_result(job.result)
            else:
                job.future.set_exception(job.error)


def _unusable(path: Path, error: BaseException) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(original, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) or (
        isinstance(error, DatabaseError) and "malformed" in str(error)
    ):
        return (
            f"The database {path} is damaged and was left as it is. Restore a copy from {path.parent / 'backups'}, "
            "or move the file away to start with an empty one."
        )
    if name.startswith("SQLITE_FULL"):
        return f"The disk that holds {path} is full. Free some space and start again. Nothing was changed."
    return (
        f"The database {path} cannot be opened for writing ({original}). Check that the folder exists, is writable and "
        "has free space, or set HITL_DATA_DIR to another folder. Nothing was changed."
    )
