"""One thread that writes, grouping waiting units into one durable commit (D4, H18, H19).

Each unit runs in a savepoint, so one that fails undoes only itself. No result, not even an error, leaves before the
outer COMMIT. SQLite may roll back the *whole* transaction by itself (disk full, I/O error); then the unit that met it
fails, and the untouched others run again, each alone. Where a COMMIT's outcome is unknown, the commit counter in the
database tells.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from hitl_mcp.errors import HITLError, ServiceFault
from hitl_mcp.service.store.base import Notice, Tx, Unit

log = logging.getLogger(__name__)

MAX_UNITS = 50
MAX_SECONDS = 0.005
MAX_WAITING = 5_000
RETRY_AFTER_SECONDS = 1

_COUNT = "UPDATE facts SET value = value + 1 WHERE name = 'commits'"
_COUNTED = "SELECT CAST(value AS INTEGER) FROM facts WHERE name = 'commits'"


@dataclass(slots=True)
class _Job:
    unit: Unit[Any]
    future: Future[Any]
    result: Any = None
    error: BaseException | None = None
    notices: list[Notice] = field(default_factory=list[Notice])


class _TransactionLost(Exception):
    """SQLite has rolled back the whole transaction while a unit ran."""


_STOP = None


class GroupWriter:
    """Runs units one after another on a thread of its own.

    Args:
        connection: in driver autocommit mode, so that BEGIN and COMMIT are ours; used by the thread only.
        clock: milliseconds since 1970.
        announce: called on the writer's thread with the notices of each durable commit.
    """

    def __init__(
        self, connection: Connection, clock: Callable[[], int], announce: Callable[[list[Notice]], None]
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._announce = announce
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._accepting = True
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="hitl-writer", daemon=True)
        self._thread.start()

    def submit(self, unit: Unit[Any]) -> Future[Any]:
        """Queue a unit. Its future ends after the unit is durable, or has failed and left no trace.

        Raises: ServiceFault (503) when the queue is full or the service is ending.
        """
        job = _Job(unit, Future())
        with self._gate:  # after close() returns from here nothing can be queued behind the stop mark
            if not self._accepting:
                raise ServiceFault("The service is ending. Try again in a moment; it is started when needed")
            if self._jobs.qsize() >= MAX_WAITING:
                raise ServiceFault("Too much is being written at once", {"retry_after": RETRY_AFTER_SECONDS})
            self._jobs.put(job)
        return job.future

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
                self._commit(group, more=self._next)
            except BaseException as error:  # boundary: this thread must outlive any fault, and no caller may hang
                log.exception("The writer met an unexpected fault")
                self._abandon()
                for waiting in group:
                    if not waiting.future.done():
                        waiting.future.set_exception(error)

    def _next(self) -> _Job | None:
        try:
            job = self._jobs.get_nowait()
        except queue.Empty:
            return None
        if job is _STOP:  # put it back for the outer loop: what came before it is served first
            self._jobs.put(_STOP)
        return job

    def _commit(self, group: list[_Job], more: Callable[[], _Job | None]) -> None:
        """Run the group's jobs and any that `more` brings in one transaction, then report."""
        started = time.perf_counter()
        try:
            self._execute("BEGIN IMMEDIATE")
            index = 0
            while index < len(group):
                self._attempt(group[index])
                index += 1
                if index == len(group) < MAX_UNITS and time.perf_counter() - started < MAX_SECONDS:
                    extra = more()
                    if extra is not None:
                        group.append(extra)
            self._finish()
        except (_TransactionLost, DBAPIError) as error:
            self._abandon()
            self._recover(group, error)
            return
        self._report(group)

    def _attempt(self, job: _Job) -> None:
        self._execute("SAVEPOINT unit")
        tx = Tx(self._connection, self._clock())
        try:
            job.result = job.unit(tx)
            job.error = None
            job.notices = tx.notices
        except Exception as error:  # boundary: any failure of a unit is that unit's result
            job.error = error
            job.notices = []
            if not self._in_transaction():
                raise _TransactionLost from error
            self._execute("ROLLBACK TO unit")
        if not self._in_transaction():
            raise _TransactionLost
        self._execute("RELEASE unit")

    def _finish(self) -> None:
        self._execute(_COUNT)
        expected = self._connection.exec_driver_sql(_COUNTED).scalar_one()
        try:
            self._execute("COMMIT")
        except DBAPIError:
            self._abandon()
            if self._connection.exec_driver_sql(_COUNTED).scalar_one() != expected:
                raise
            log.warning("A COMMIT reported an error but is durable")

    def _recover(self, group: list[_Job], error: BaseException) -> None:
        """After a lost transaction nothing of the group exists. Alone, a job fails; of a group, each runs alone."""
        if len(group) == 1:
            job = group[0]
            cause = job.error if job.error is not None and not isinstance(job.error, HITLError) else error
            job.future.set_exception(storage_fault(cause))
            return
        for job in group:
            self._commit([job], more=lambda: None)

    def _report(self, group: list[_Job]) -> None:
        notices = [notice for job in group for notice in job.notices]
        if notices:
            self._announce(notices)
        for job in group:
            if job.error is None:
                job.future.set_result(job.result)
            elif isinstance(job.error, DBAPIError):
                job.future.set_exception(storage_fault(job.error))
            else:
                job.future.set_exception(job.error)

    def _execute(self, statement: str) -> None:
        self._connection.exec_driver_sql(statement)

    def _abandon(self) -> None:
        if self._in_transaction():
            with contextlib.suppress(DBAPIError):
                self._execute("ROLLBACK")

    def _in_transaction(self) -> bool:
        raw = self._connection.connection.driver_connection
        return isinstance(raw, sqlite3.Connection) and raw.in_transaction


def storage_fault(error: BaseException) -> BaseException:
    """The error for a caller whose unit the database could not keep; what it means and what to do."""
    if isinstance(error, _TransactionLost):
        return ServiceFault("The database gave the change up by itself; most often its disk is full. Nothing was changed")
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
