"""From any older schema to this one, by Alembic, after a backup (H27).

Alembic is imported only when there is something to migrate, because a service must start fast.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from hitl_mcp.errors import NotConfigured
from hitl_mcp.service.store.tables import SCHEMA_HEAD

if TYPE_CHECKING:
    from alembic.config import Config

QUICK_CHECK_BELOW = 64 * 1024 * 1024


def prepare(connection: Connection, path: Path, backups: Path) -> None:
    """Bring the database to this version's schema.

    Raises: NotConfigured when it is damaged, or was made by a newer version (it is then left untouched).
    """
    if path.stat().st_size < QUICK_CHECK_BELOW:
        verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"malformed: {verdict}")
    current = _current(connection)
    if current == SCHEMA_HEAD:
        return
    config = alembic_config(connection)
    _refuse_newer(config, current, path)
    if current is not None:
        backups.mkdir(exist_ok=True)
        target = backups / f"{path.stem}-{current}-{time.strftime('%Y%m%d-%H%M%S')}.db"
        raw = connection.connection.driver_connection
        if isinstance(raw, sqlite3.Connection):
            copy = sqlite3.connect(target)
            raw.backup(copy)
            copy.close()
    from alembic import command

    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        command.upgrade(config, "head")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration over an open connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", (Path(__file__).parent / "migrations").as_posix().replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _current(connection: Connection) -> str | None:
    exists = connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")).first()
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if exists else None


def _refuse_newer(config: Config, current: str | None, path: Path) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise NotConfigured(
            f"The database {path} has schema {current}, made by a newer version of hitl-mcp; this one knows up to "
            f"{SCHEMA_HEAD}. Update hitl-mcp, or set HITL_DATA_DIR to another folder. Nothing was changed."
        )
