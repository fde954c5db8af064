"""A copy of a SQLite database while it is in use."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def backup_to(raw: sqlite3.Connection, target: Path) -> Path:
    """Copy the last committed state into a new file; makes its folder when needed. Returns the file.

    Args:
        raw: any connection to the database; it can go on being used meanwhile.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(target)) as copy:
        raw.backup(copy)
    return target
