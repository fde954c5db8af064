"""Copies of a SQLite database: made while it is in use, checked, and put back."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from hitl_mcp.errors import BadRequest, NotConfigured, ServiceFault


def backup_to(raw: sqlite3.Connection, target: Path) -> Path:
    """Copy the last committed state into a new file; makes its folder when needed. Returns the file.

    Args:
        raw: any connection to the database; it can go on being used meanwhile.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform != "win32":  # what people were asked is for nobody else's eyes
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
    with closing(sqlite3.connect(target)) as copy:
        raw.backup(copy)
    return target


def back_up(database: Path, target: Path) -> int:
    """Copy a database that a service uses, and check the copy; returns its size in bytes.

    Raises: BadRequest when something is there already, ServiceFault when it cannot be written.
    """
    if target.exists():
        raise BadRequest(f"{target} is there already. Name a file that does not exist yet")
    fresh = target.with_name(f"{target.name}.part")
    try:
        with closing(_read_only(database)) as raw:
            backup_to(raw, fresh)
        if (fault := _fault_of(fresh)) is not None:
            raise ServiceFault(f"The copy is not whole ({fault}). Nothing was changed; check the disk")
        fresh.replace(target)
        return target.stat().st_size
    except (OSError, sqlite3.Error) as error:
        raise ServiceFault(f"The copy {target} could not be written ({error}). Nothing was changed") from error
    finally:
        fresh.unlink(missing_ok=True)


def restore(database: Path, backups: Path, source: Path) -> Path | None:
    """Put a copy in the place of a database that nobody uses. Returns where the former one was put, if there was one.

    The caller holds the folder's lock (H17).

    Raises: NotConfigured when the copy cannot be used; nothing was changed then.
    """
    if not source.is_file():
        raise NotConfigured(f"There is no file {source}.")
    if (fault := _fault_of(source)) is not None:
        raise NotConfigured(f"{source} is no whole hitl-mcp database ({fault}). Nothing was changed.")
    fresh = database.with_name(f"{database.name}.restored")
    try:
        with closing(_read_only(source)) as raw:
            backup_to(raw, fresh)
        former = _put_aside(database, backups) if database.exists() else None
        fresh.replace(database)
        return former
    except (OSError, sqlite3.Error) as error:
        raise NotConfigured(f"{source} could not be restored ({error}). The database is as it was.") from error
    finally:
        fresh.unlink(missing_ok=True)


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(path.absolute().as_posix())}?mode=ro", uri=True)


def _put_aside(database: Path, backups: Path) -> Path:
    """Move a database as it is, which may be damaged, with the log that belongs to it."""
    backups.mkdir(exist_ok=True)
    former = backups / f"{database.stem}-before-restore-{time.strftime('%Y%m%d-%H%M%S')}.db"
    for part in ("-wal", "-shm", ""):  # the database last: until then nothing is lost by a crash
        left = database.with_name(database.name + part)
        if left.exists():
            left.replace(former.with_name(former.name + part))
    return former


def _fault_of(path: Path) -> str | None:
    """What is wrong with a file as a database of ours, or nothing."""
    try:
        with closing(_read_only(path)) as raw:
            verdict = str(raw.execute("PRAGMA integrity_check(1)").fetchone()[0])
            if verdict != "ok":
                return verdict
            raw.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return None
