"""What a receiver keeps: each event once, and the decision of each request, in one file that outlives the process.

A webhook comes at least once. Taking an event and acting on it are one transaction here, so the second delivery of the
same `event_id` changes nothing, whichever worker gets it and whatever was killed in between.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from hitl_mcp.webhooks import WebhookEvent

_TABLES = """
CREATE TABLE IF NOT EXISTS taken (event_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS decisions (request_id TEXT PRIMARY KEY, status TEXT NOT NULL, decision TEXT, times INTEGER);
"""


class Decisions:
    """The decisions that have come in.

    Args:
        file: a SQLite file; made when it is missing.
    """

    def __init__(self, file: str | Path) -> None:
        self._file = file
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_TABLES)

    def take(self, event: WebhookEvent) -> bool:
        """Act on an event; False when it was taken before."""
        with closing(sqlite3.connect(self._file, timeout=10)) as connection, connection:
            name = event.event_id or f"{event.event}/{event.request_id}"
            if connection.execute("INSERT OR IGNORE INTO taken VALUES (?)", (name,)).rowcount == 0:
                return False
            if event.status in ("completed", "timeout", "cancelled"):  # here your own work begins
                connection.execute(
                    "INSERT INTO decisions VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET times = times + 1",
                    (event.request_id, event.status, event.decision),
                )
            return True

    def of(self, request_id: str) -> dict[str, object] | None:
        """What was decided, and how often that was acted on; None where nothing has come."""
        with closing(sqlite3.connect(self._file, timeout=10)) as connection:
            found = connection.execute(
                "SELECT status, decision, times FROM decisions WHERE request_id = ?", (request_id,)
            ).fetchone()
        return None if found is None else dict(zip(("status", "decision", "times"), found, strict=True))
