"""From any older schema to this one, by Alembic; for SQLite after a backup (H27).

Alembic is imported only when there is something to migrate, because a service must start fast.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from hitl_mcp.errors import NotConfigured
from hitl_mcp.service.store.backup import backup_to
from hitl_mcp.service.store.tables import SCHEMA_HEAD

if TYPE_CHECKING:
    from alembic.config import Config

QUICK_CHECK_BELOW = 64 * 1024 * 1024


def prepare(connection: Connection, path: Path, backups: Path) -> None:
    """Bring a SQLite database to this version's schema.

    Raises: NotConfigured when it is damaged, or was made by a newer version (it is then left untouched).
    """
    if path.stat().st_size < QUICK_CHECK_BELOW:
        verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"malformed: {verdict}")
    current = current_schema(connection)
    if current == SCHEMA_HEAD:
        return
    refuse_newer(current, f"The database {path}", "set HITL_DATA_DIR to another folder")
    raw = connection.connection.driver_connection
    if current is not None and isinstance(raw, sqlite3.Connection):
        backup_to(raw, backups / f"{path.stem}-{current}-{time.strftime('%Y%m%d-%H%M%S')}.db")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        upgrade(connection)
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, over an open connection where there is one."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", (Path(__file__).parent / "migrations").as_posix().replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def current_schema(connection: Connection) -> str | None:
    """Which schema the database says it has; None for one that was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(connection: Connection) -> None:
    """To the newest schema, in the transaction that the caller holds."""
    from alembic import command

    command.upgrade(alembic_config(connection), "head")


def refuse_newer(current: str | None, which: str, instead: str) -> None:
    """Raises: NotConfigured when the schema is not one of ours."""
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if current is not None and current not in known:
        raise NotConfigured(
            f"{which} has schema {current}, made by a newer version of hitl-mcp; this one knows up to {SCHEMA_HEAD}. "
            f"Update hitl-mcp, or {instead}. Nothing was changed."
        )
