"""Operating a service from its terminal: doctor, backup and restore, migrate; on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from hitl_mcp.contract import routes
from hitl_mcp.service.store.tables import SCHEMA_HEAD
from tests.postgres import database, name_of, server
from tests.served.machine import Machine, machine
from tests.served.team import free_port

pytestmark = pytest.mark.anyio


def without_server(folder: Path, **more: str) -> Machine:
    """A machine on which only commands run."""
    return Machine(folder, free_port(), folder.parent / "none.log", more)


async def test_the_doctor_finds_a_healthy_service_and_says_what_it_looked_at(folder: Path) -> None:
    said = await without_server(folder).run("doctor")
    for words in (
        "ok    database: SQLite",
        f"ok    schema: {SCHEMA_HEAD}",
        "ok    clock:",
        "ok    address:",
        "loop: Default: 1 active",
    ):
        assert words in said
    assert "fail" not in said


async def test_the_doctor_names_what_is_broken(folder: Path) -> None:
    folder.mkdir()
    (folder / "hitl.db").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    said = await without_server(folder).run("doctor", code=1)
    assert "fail  service:" in said and "damaged" in said
    gone = {"HITL_DATABASE_URL": "postgresql://nobody:hunter2@127.0.0.1:1/none"}
    said = await without_server(folder, **gone).run("doctor", code=1)
    assert "fail  service:" in said and "cannot be used" in said and "hunter2" not in said


async def test_a_backup_is_whole_private_and_comes_back(folder: Path, tmp_path: Path) -> None:
    async with machine(folder) as on:
        await on.run("keys", "create", "before")
        copy = tmp_path / "copies" / "hitl.db"
        assert "Written and checked" in await on.run("backup", str(copy))
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        with closing(sqlite3.connect(copy)) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert "is there already" in await on.run("backup", str(copy), code=2)
        await on.run("keys", "create", "after")
        assert "is in use" in await on.run("restore", "--yes", str(copy), code=2)
        assert "There is no file" in await on.run("restore", str(copy.with_name("no.db")), code=2)
        await on.stop()
        assert "Restored" in await on.run("restore", "--yes", str(copy))
        listed = await on.run("keys", "list")
        assert "before" in listed and "after" not in listed
        (former,) = (folder / "backups").glob("hitl-before-restore-*.db")
        await on.run("stop")
        assert "Restored" in await on.run("restore", "--yes", str(former))
        assert "after" in await on.run("keys", "list")


async def test_what_is_no_backup_is_refused_and_nothing_changes(folder: Path, tmp_path: Path) -> None:
    on = without_server(folder)
    await on.run("keys", "create", "kept")
    await on.run("stop")
    before = (folder / "hitl.db").read_bytes()
    junk, other = tmp_path / "junk", tmp_path / "other.db"
    junk.write_bytes(b"junk" * 1000)
    with closing(sqlite3.connect(other)) as raw:
        raw.execute("CREATE TABLE t (x)")
    for source in (junk, other, tmp_path / "missing"):
        assert "Traceback" not in await on.run("restore", "--yes", str(source), code=2)
        assert (folder / "hitl.db").read_bytes() == before
    assert "kept" in await on.run("keys", "list")


async def test_a_server_on_postgresql_needs_no_folder_and_is_run_by_the_same_commands(folder: Path) -> None:
    async with database(migrated=False) as url, machine(folder, HITL_DATABASE_URL=url) as on:
        key = await on.key()
        said = await on.run("doctor")
        assert "database: PostgreSQL" in said and "1 active" in said
        assert "Nothing was changed" in await on.run("migrate")
        assert "pg_dump" in await on.run("backup", "x.db", code=2)
        assert "pg_restore" in await on.run("restore", "x.db", code=2)
        assert "doctor" in await on.run("status", code=2)
        async with on.client(key) as http:
            assert len((await http.get(routes.LOOPS)).json()["data"]["loops"]) == 1
        assert not folder.exists()
        assert await on.stop() == 0


async def test_an_older_postgresql_schema_waits_for_migrate(folder: Path) -> None:
    async with database() as url:
        await server().run("UPDATE alembic_version SET version_num = '0001'", database=name_of(url))
        on = without_server(folder, HITL_DATABASE_URL=url)
        assert "hitl-mcp migrate" in await on.run("doctor", code=1)
        planned = await on.run("migrate", "--dry-run")
        assert "ALTER TABLE api_keys ADD COLUMN key_hash" in planned
        assert "hitl-mcp migrate" in await on.run("doctor", code=1), "a dry run changes nothing"
