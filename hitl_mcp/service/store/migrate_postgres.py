"""PostgreSQL's schema. A service makes an empty database ready by itself; an older one is migrated on request only.

A team's database may be served by processes of the former version while it is migrated, and be large; so when that
happens is a person's decision: `hitl-mcp migrate`, with `--dry-run` for the SQL alone.
"""

from __future__ import annotations

import io
from typing import Any

import asyncpg
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hitl_mcp.errors import NotConfigured
from hitl_mcp.service.store.connect import connect, shown
from hitl_mcp.service.store.migrate import alembic_config, current_schema, refuse_newer, upgrade
from hitl_mcp.service.store.tables import SCHEMA_HEAD, metadata

OLDEST_SERVER = 130_000
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(4851544)")
"""Any number that other programs on the same database hardly use."""


async def prepare_postgres(url: str) -> None:
    """Make an empty database ready, or find it ready.

    Raises: NotConfigured when it has another schema than this version's (it is then left untouched); what the driver
        raises when it cannot be reached.
    """
    await _run(url, _prepare)


async def migrate_postgres(url: str, dry_run: bool = False) -> str:
    """Bring the database to this version's schema; for `hitl-mcp migrate`.

    Args:
        dry_run: change nothing; return the SQL.

    Returns: what was done, in a sentence, or the SQL ("" when there is nothing to do).

    Raises: NotConfigured when it cannot be reached, or was made by a newer version.
    """
    try:
        return await _run(url, _sql if dry_run else _migrate)
    except (OSError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise NotConfigured(unusable(url, error)) from error


def unusable(url: str, error: BaseException) -> str:
    """Why a database cannot be used, for a person."""
    why = error.orig if isinstance(error, DBAPIError) else error
    return (
        f"The database {shown(url)} cannot be used ({str(why) or type(why).__name__}). Check that it runs, that its "
        "address, user and password are right, and that the user may make tables. Nothing was changed."
    )


async def _run(url: str, step: Any) -> Any:
    async def creator(*_: Any, **__: Any) -> asyncpg.Connection:
        return await connect(url, migrating=True)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=creator, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(step, shown(url))
    finally:
        await engine.dispose()


def _alone(connection: Connection, which: str) -> str | None:
    """The schema the database has, with nobody else migrating it until this transaction ends.

    Raises: NotConfigured when this version cannot work with it at all.
    """
    version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
    if version < OLDEST_SERVER:
        raise NotConfigured(f"hitl-mcp needs PostgreSQL 13 or newer; {which} is served by {version // 10_000}")
    connection.execute(_ONE_AT_A_TIME)  # the second of two waits here, and then finds the work done
    current = current_schema(connection)
    if current != SCHEMA_HEAD:
        refuse_newer(current, f"The database {which}", "use another database")
    if current is None and (taken := sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))):
        raise NotConfigured(
            f"The database {which} has tables of another program ({', '.join(taken)}). Give hitl-mcp a database of its "
            "own. Nothing was changed."
        )
    return current


def _prepare(connection: Connection, which: str) -> None:
    if current_schema(connection) == SCHEMA_HEAD:
        return
    current = _alone(connection, which)
    if current is None:
        upgrade(connection)
    elif current != SCHEMA_HEAD:
        raise NotConfigured(
            f"The database {which} has schema {current} and this version needs {SCHEMA_HEAD}. Run: hitl-mcp migrate "
            "(with --dry-run it only shows the SQL). Nothing was changed."
        )


def _migrate(connection: Connection, which: str) -> str:
    current = _alone(connection, which)
    if current == SCHEMA_HEAD:
        return f"The database has schema {SCHEMA_HEAD} already. Nothing was changed."
    upgrade(connection)
    return f"The database now has schema {SCHEMA_HEAD} ({'it was empty' if current is None else f'it had {current}'})."


def _sql(connection: Connection, which: str) -> str:
    current = _alone(connection, which)
    if current == SCHEMA_HEAD:
        return ""
    from alembic import command

    config = alembic_config()
    config.output_buffer = io.StringIO()
    command.upgrade(config, f"{current or 'base'}:head", sql=True)
    return config.output_buffer.getvalue()
