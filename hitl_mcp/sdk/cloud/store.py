"""One small SQLite file that several processes write (H32): transactions, and what to do when the file fails them.

The file carries a number. A new one with the next number takes its place when it is damaged, or when a process that was
stopped in the middle of a transaction holds it for seconds; then it is copied, so that nothing that was written is
lost. Whoever wrote into a file that was replaced meanwhile writes again into the new one. No file is ever deleted and
made again under its own name, because others may have it open.

A rollback journal, not a write-ahead log: with that log a damaged or half-deleted file is harder to replace. Nothing
here must survive a power failure, so nothing waits for the disk.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from hitl_mcp.errors import Unreachable

log = logging.getLogger(__name__)

LOCK_SECONDS = 0.02
"""How long a transaction may wait for another's; both are milliseconds long."""
STUCK_SECONDS = 5.0
STUCK_TRIES = 10
"""A lock that is held for so long, seen so often, belongs to a process that was stopped."""
_NAME = "share-{:06}.sqlite3"
_NUMBERED = re.compile(r"share-(\d+)\.sqlite3")
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Busy(Exception):
    """Somebody else is writing, or the file has just been replaced. Try again a little later."""


class Unusable(Unreachable):
    """The data folder cannot be written."""


class Store:
    """The file in its folder; nothing is made before the first transaction.

    Args:
        folder: made with access for its owner only.
        schema: the statements that make the tables.
        first: the statements that a file begins with whose predecessor could not be read.
    """

    def __init__(self, folder: Path, schema: str, first: Callable[[], str]) -> None:
        self._folder = folder.absolute()
        self._schema = schema
        self._first = first
        self._open: tuple[int, sqlite3.Connection] | None = None
        self._stuck: tuple[float, int] | None = None

    def close(self) -> None:
        """Close the file; the next transaction opens it again."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Read and write alone. Raises: Busy, Unusable."""
        try:
            number, connection = self._newest()
            connection.execute("BEGIN IMMEDIATE")
        except (OSError, sqlite3.Error) as error:
            self._failed(error)
            raise Busy from error
        self._stuck = None
        try:
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo(connection)
            self._failed(error)
            raise Busy from error
        except BaseException:
            self._undo(connection)
            raise
        if self._number() != number:
            raise Busy

    def changes(self) -> tuple[int, int] | None:
        """Something that differs when others wrote; cheap, and takes no lock. None when that cannot be told."""
        try:
            number, connection = self._newest()
            return number, int(connection.execute("PRAGMA data_version").fetchone()[0])
        except (OSError, sqlite3.Error):
            return None

    def _undo(self, connection: sqlite3.Connection) -> None:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")

    def _number(self) -> int:
        with os.scandir(self._folder) as entries:
            found = [match for entry in entries if (match := _NUMBERED.fullmatch(entry.name))]
        return max((int(match[1]) for match in found), default=0)

    def _newest(self) -> tuple[int, sqlite3.Connection]:
        try:
            number = self._number()
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            number = 0
        if not number:
            self._replace(0, damaged=False)
            number = self._number()
        if self._open is None or self._open[0] != number:
            self.close()
            connection = sqlite3.connect(
                f"{(self._folder / _NAME.format(number)).as_uri()}?mode=rw", uri=True, timeout=LOCK_SECONDS,
                isolation_level=None, check_same_thread=False,
            )  # fmt: skip
            self._open = number, connection
            connection.execute("PRAGMA synchronous=OFF")
        return self._open

    def _failed(self, error: Exception) -> None:
        """Replace the file where that helps. Raises: Unusable where nothing does."""
        extended: int = getattr(error, "sqlite_errorcode", 0)
        code = extended & 0xFF
        moved = isinstance(error, FileNotFoundError) or code == sqlite3.SQLITE_CANTOPEN
        moved = moved or extended == sqlite3.SQLITE_READONLY_DBMOVED
        number = self._open[0] if self._open else 0
        try:
            if code in _BUSY:
                since, tries = self._stuck or (time.monotonic(), 0)
                self._stuck = since, tries + 1
                if tries < STUCK_TRIES or time.monotonic() < since + STUCK_SECONDS:
                    return
                log.warning("A stopped process holds what is known of the cloud's budget; it goes on in a new file")
                self._stuck = None
                self._replace(number, damaged=False)
            elif code in _DAMAGED or "no such table" in str(error):
                log.warning("The file of what is known of the cloud's budget was damaged and is made anew")
                self._replace(number, damaged=True)
            elif not moved:
                raise error
        except (OSError, sqlite3.Error) as fault:
            self.close()
            raise Unusable(
                f"The data folder {self._folder} cannot be written ({type(fault).__name__}: {fault}). Make room or "
                "change HITL_DATA_DIR."
            ) from None
        self.close()

    def _replace(self, number: int, *, damaged: bool) -> None:
        """Put the next file in place, unless somebody else did. It holds what the file before it held, if readable."""
        fresh = self._folder / f".new-{secrets.token_hex(8)}"
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
                if damaged or not number or not self._copied(number, connection):
                    connection.executescript(self._schema + (self._first() if number else ""))
            with suppress(FileExistsError):
                os.link(fresh, self._folder / _NAME.format(number + 1))
        finally:
            fresh.unlink(missing_ok=True)
        for old in range(max(1, number - 1), number + 1):
            with suppress(OSError):  # on Windows while somebody has it open
                (self._folder / _NAME.format(old)).unlink()

    def _copied(self, number: int, into: sqlite3.Connection) -> bool:
        try:
            uri = f"{(self._folder / _NAME.format(number)).as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=LOCK_SECONDS)) as old:
                old.backup(into)
        except sqlite3.Error:
            return False
        return True
