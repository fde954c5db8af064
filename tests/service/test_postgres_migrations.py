"""A team's database is migrated when a person says so, once, and never half (H27)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hitl_mcp.errors import NotConfigured
from hitl_mcp.service.store.connect import connect, shown
from hitl_mcp.service.store.migrate import alembic_config
from hitl_mcp.service.store.migrate_postgres import migrate_postgres
from hitl_mcp.service.store.postgres import open_postgres
from hitl_mcp.service.store.tables import SCHEMA_HEAD, facts, metadata
from tests import postgres
from tests.world import WAIT

pytestmark = pytest.mark.anyio

FIRST = "0001"


@pytest.fixture
async def url() -> AsyncGenerator[str]:
    """An empty database."""
    async with postgres.database(migrated=False) as address:
        yield address


async def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    """What a statement finds."""
    return [tuple(row) for row in await postgres.server().run(statement, database=postgres.name_of(url))]


async def version_in(url: str) -> str | None:
    """The schema that the database says it has."""
    try:
        return (await rows(url, "SELECT version_num FROM alembic_version"))[0][0]
    except asyncpg.UndefinedTableError:
        return None


async def shape_of(url: str) -> list[tuple[Any, ...]]:
    """Every column and index."""
    columns = await rows(
        url,
        "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default "
        "FROM information_schema.columns WHERE table_schema = 'public'",
    )
    indexes = await rows(url, "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'")
    return sorted(columns + indexes, key=repr)


async def in_sqlalchemy(url: str, work: Any) -> Any:
    """Run a function over a SQLAlchemy connection."""

    async def creator(*_: Any, **__: Any) -> asyncpg.Connection:
        return await connect(url, migrating=True)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=creator, poolclass=NullPool)
    async with engine.begin() as connection:
        return await connection.run_sync(work)


async def at_first_version(url: str) -> None:
    """The database as the first version left it, with something in it."""

    def work(connection: Connection) -> None:
        command.upgrade(alembic_config(connection), FIRST)
        connection.execute(insert(facts), {"name": "kept", "value": "yes"})

    await in_sqlalchemy(url, work)


async def test_an_empty_database_is_made_ready_and_has_the_schema_of_the_code(url: str) -> None:
    store = await open_postgres(url.replace("postgresql://", "postgres://"))
    await store.write(lambda tx: tx.connection.execute(insert(facts), {"name": "kept", "value": "yes"}).rowcount)
    await store.aclose(WAIT)

    def differences(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True, "target_metadata": metadata}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert await in_sqlalchemy(url, differences) == []
    assert await version_in(url) == SCHEMA_HEAD


async def test_the_dry_run_shows_the_sql_and_changes_nothing(url: str) -> None:
    sql = await migrate_postgres(url, dry_run=True)
    assert await shape_of(url) == []
    async with postgres.database(migrated=False) as other:
        connection = await asyncpg.connect(other)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()
        assert await version_in(other) == SCHEMA_HEAD
        assert "now has" in await migrate_postgres(url)
        assert await shape_of(other) == await shape_of(url), "what was shown is what is done"
    assert await migrate_postgres(url, dry_run=True) == ""
    assert "Nothing was changed" in await migrate_postgres(url)


async def test_an_older_database_is_migrated_when_asked_and_keeps_what_it_has(url: str) -> None:
    await at_first_version(url)
    before = await shape_of(url)
    with pytest.raises(NotConfigured, match="hitl-mcp migrate"):
        await open_postgres(url)
    sql = await migrate_postgres(url, dry_run=True)
    assert "CREATE TABLE facts" not in sql, "only what is new"
    assert (await version_in(url), await shape_of(url)) == (FIRST, before)
    assert FIRST in await migrate_postgres(url)
    assert await version_in(url) == SCHEMA_HEAD
    assert ("kept", "yes") in await rows(url, "SELECT name, value FROM facts")
    await (await open_postgres(url)).aclose()


async def test_a_newer_database_is_refused_and_untouched(url: str) -> None:
    await migrate_postgres(url)
    await rows(url, "UPDATE alembic_version SET version_num = '9999'")
    before = await shape_of(url)
    for attempt in (open_postgres(url), migrate_postgres(url), migrate_postgres(url, dry_run=True)):
        with pytest.raises(NotConfigured, match="newer version"):
            await attempt
    assert (await version_in(url), await shape_of(url)) == ("9999", before)


async def test_another_programs_tables_are_left_alone(url: str) -> None:
    await rows(url, "CREATE TABLE users (id integer)")
    before = await shape_of(url)
    with pytest.raises(NotConfigured, match="another program"):
        await open_postgres(url)
    assert await shape_of(url) == before


async def test_processes_that_start_at_once_make_the_database_ready_once(url: str) -> None:
    code = f"""if True:
        import asyncio
        from hitl_mcp.service.store.postgres import open_postgres
        async def main():
            store = await open_postgres({url!r})
            await store.aclose()
        asyncio.run(main())"""
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    try:
        for process in processes:
            assert await anyio.to_thread.run_sync(process.wait, WAIT) == 0
    finally:
        for process in processes:
            process.kill()
    assert await version_in(url) == SCHEMA_HEAD


async def test_two_who_migrate_at_once_do_it_once(url: str) -> None:
    await at_first_version(url)
    said: list[str] = []

    async def one() -> None:
        said.append(await migrate_postgres(url))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(one)
    assert sorted("now has" in words for words in said) == [False, False, True]
    assert ("kept", "yes") in await rows(url, "SELECT name, value FROM facts")


async def test_what_cannot_be_reached_is_named_without_its_password() -> None:
    with pytest.raises(NotConfigured, match="cannot be used") as caught:
        await open_postgres("postgresql://ada:s3cr3t@127.0.0.1:1/hitl?password=s3cr3t&sslmode=disable")
    assert "s3cr3t" not in str(caught.value)
    assert "127.0.0.1:1/hitl" in str(caught.value)
    with pytest.raises(NotConfigured, match="postgresql://"):
        await open_postgres("mysql://ada:s3cr3t@localhost/hitl")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgres://me:a:b@host:1/db", "postgres://me:***@host:1/db"),
        ("postgresql://me@a:1,b:2/db?sslmode=require&password=x", "postgresql://me@a:1,b:2/db?sslmode=require&password=***"),
        ("postgresql:///db?host=/run/me:x@y", "postgresql:///db?host=/run/me:x@y"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_its_password(url: str, words: str) -> None:
    assert shown(url) == words
