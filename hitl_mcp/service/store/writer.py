"""One thread that writes, grouping waiting units into one durable commit (D4, H18, H19).

Each unit runs in a savepoint, so one that fails undoes only itself. No result, not even an error, leaves before the
outer COMMIT. SQLite may roll back the *whole* transaction by itself (disk full, I/O error); then the unit that met it
fails, and the untouched others run again, each alone. Where a COMMIT's outcome is unknown, the commit counter in the
database tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from hitl_mcp.errors import ServiceFault
from hitl_mcp.service.store.base import Notice, Tx, Unit

log = logging.getLogger(__name__)

MAX_UNITS = 50
MAX_SECONDS = 0.005
MAX_WAITING = 5_000
RETRY_AFTER_SECONDS = 1

_COUNT = "UPDATE facts SET value = ? WHERE name = 'commits'"
_COUNTED = "SELECT CAST(value AS INTEGER) FROM facts WHERE name = 'commits'"


@dataclass(slots=True)
class Job:
    """A unit on its way. Exactly one of `result` and `error` counts once it is delivered.

    Attributes:
        future: of the caller's event loop; only that loop may touch it.
        alone: no unit, but the end of what the write-ahead log holds: it runs outside of every transaction.
    """

    unit: Unit[Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None
    notices: list[Notice] = field(default_factory=list[Notice])
    alone: bool = False


class _TransactionLost(Exception):
    """SQLite has rolled back the whole transaction while a unit ran."""


_STOP = None


class GroupWriter:
    """Runs units one after another on a thread of its own.

    Args:
        connection: in driver autocommit mode, so that BEGIN and COMMIT are ours; used by the thread only.
        clock: milliseconds since 1970.
        deliver: called on the writer's thread, once per group, with jobs that are durable or have failed.
    """

    def __init__(self, connection: Connection, clock: Callable[[], int], deliver: Callable[[list[Job]], None]) -> None:
        raw = connection.connection.driver_connection
        if not isinstance(raw, sqlite3.Connection):
            raise TypeError("not a SQLite connection")
        self._connection = connection
        self._raw = raw  # the six statements around each unit go straight to the driver: they are most of its cost
        self._clock = clock
        self._deliver = deliver
        self._commits = int(raw.execute(_COUNTED).fetchone()[0])
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._accepting = True
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="hitl-writer", daemon=True)
        self._thread.start()

    def submit(self, unit: Unit[Any], future: asyncio.Future[Any]) -> None:
        """Queue a unit. It is delivered after it is durable, or has failed and left no trace.

        Raises: ServiceFault (503) when the queue is full or the service is ending.
        """
        with self._gate:  # after close() returns from here nothing can be queued behind the stop mark
            if not self._accepting:
                raise ServiceFault("The service is ending. Try again in a moment; it is started when needed")
            if self._jobs.qsize() >= MAX_WAITING:
                raise ServiceFault("Too much is being written at once", {"retry_after": RETRY_AFTER_SECONDS})
            self._jobs.put(Job(unit, future))

    def checkpoint(self, future: asyncio.Future[Any]) -> None:
        """Queue moving the write-ahead log into the file and emptying it; fails while somebody reads for long.

        Raises: ServiceFault (503) when the service is ending.
        """
        with self._gate:
            if not self._accepting:
                raise ServiceFault("The service is ending. Try again in a moment; it is started when needed")
            self._jobs.put(Job(lambda _: None, future, alone=True))

    def close(self, timeout: float) -> None:
        """Refuse new units and finish the queued ones, for at most `timeout` seconds (H26)."""
        with self._gate:
            self._accepting = False
            self._jobs.put(_STOP)
        self._thread.join(timeout)

    @property
    def ended(self) -> bool:
        """Whether everything that was queued is done and the connection is free."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            group = [job]
            try:
                if job.alone:
                    self._empty_log(job)
                else:
                    self._commit(group, more=self._next)
            except BaseException as error:  # boundary: this thread must outlive any fault, and no caller may hang
                log.exception("The writer met an unexpected fault")
                self._abandon()
                for waiting in group:
                    waiting.error, waiting.notices = error, []
                self._deliver(group)

    def _next(self) -> Job | None:
        try:
            job = self._jobs.get_nowait()
        except queue.Empty:
            return None
        if job is _STOP:  # put it back for the outer loop: what came before it is served first
            self._jobs.put(_STOP)
        elif job is not None and job.alone:  # its turn may come later, but not inside a transaction
            self._jobs.put(job)
            return None
        return job

    def _empty_log(self, job: Job) -> None:
        busy = self._raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            job.error = ServiceFault("The write-ahead log is being read and was not emptied. Try again in a moment")
        self._deliver([job])

    def _commit(self, group: list[Job], more: Callable[[], Job | None]) -> None:
        """Run the group's jobs and any that `more` brings in one transaction, then deliver."""
        started = time.perf_counter()
        try:
            self._raw.execute("BEGIN IMMEDIATE")
            index = 0
            while index < len(group):
                self._attempt(group[index])
                index += 1
                if index == len(group) < MAX_UNITS and time.perf_counter() - started < MAX_SECONDS:
                    extra = more()
                    if extra is not None:
                        group.append(extra)
            self._finish()
        except (_TransactionLost, sqlite3.Error) as error:
            self._abandon()
            self._recover(group, error)
            return
        self._deliver(group)

    def _attempt(self, job: Job) -> None:
        self._raw.execute("SAVEPOINT unit")
        tx = Tx(self._connection, self._clock())
        try:
            job.result = job.unit(tx)
            job.error = None
            job.notices = tx.notices
        except Exception as error:  # boundary: any failure of a unit is that unit's result
            job.error = storage_fault(error) if isinstance(error, DBAPIError) else error
            job.notices = []
            if not self._raw.in_transaction:
                raise _TransactionLost from error
            self._raw.execute("ROLLBACK TO unit")
        if not self._raw.in_transaction:
            raise _TransactionLost
        self._raw.execute("RELEASE unit")

    def _finish(self) -> None:
        self._raw.execute(_COUNT, (self._commits + 1,))
        try:
            self._raw.execute("COMMIT")
        except sqlite3.Error:
            self._abandon()
            if int(self._raw.execute(_COUNTED).fetchone()[0]) != self._commits + 1:
                raise
            log.warning("A COMMIT reported an error but is durable")
        self._commits += 1

    def _recover(self, group: list[Job], error: BaseException) -> None:
        """After a lost transaction nothing of the group exists. Alone, a job fails; of a group, each runs alone."""
        if len(group) == 1:
            if not isinstance(group[0].error, ServiceFault):
                group[0].error = storage_fault(error)
            group[0].notices = []
            self._deliver(group)
            return
        for job in group:
            self._commit([job], more=lambda: None)

    def _abandon(self) -> None:
        if self._raw.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._raw.execute("ROLLBACK")


def storage_fault(error: BaseException) -> BaseException:
    """The error for a caller whose unit the database could not keep; what it means and what to do."""
    if isinstance(error, _TransactionLost):
        return ServiceFault(
            "The database gave the change up by itself; most often its disk is full. Nothing was changed"
        )
    original = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(original, sqlite3.Error):
        return error
    name = getattr(original, "sqlite_errorname", "") or ""
    for prefix, words in _WORDS.items():
        if name.startswith(prefix):
            return ServiceFault(words, {"sqlite": name})
    return ServiceFault(f"The database refused the change ({original}). Nothing was changed", {"sqlite": name})


_WORDS = {
    "SQLITE_FULL": "The disk is full, so nothing was changed. Free some space, then try again",
    "SQLITE_READONLY": "The data folder or its disk is read-only, so nothing was changed. Make it writable, then retry",
    "SQLITE_IOERR": "The disk reported an error, so nothing was changed. Check the disk of the data folder",
    "SQLITE_CORRUPT": "The database file is damaged. Stop the service and restore a copy from the folder's backups",
    "SQLITE_NOTADB": "The database file is damaged. Stop the service and restore a copy from the folder's backups",
    "SQLITE_BUSY": "Another process holds the database. Only one service may use a data folder",
}
