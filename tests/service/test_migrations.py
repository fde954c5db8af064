"""A file of any older version becomes one of this version, or stays exactly as it was (H27)."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, insert, select

import hitl_mcp
from hitl_mcp.errors import NotConfigured
from hitl_mcp.service.clock import wall_clock
from hitl_mcp.service.store.migrate import alembic_config
from hitl_mcp.service.store.sqlite import SQLiteStore
from hitl_mcp.service.store.tables import SCHEMA_HEAD, facts, metadata
from tests.world import WAIT

pytestmark = pytest.mark.anyio


def opened(path: Path) -> SQLiteStore:
    """The file, brought to this version."""
    return SQLiteStore(path, wall_clock, path.parent / "backups")


async def made(path: Path) -> None:
    """A file of this version with one fact in it."""
    store = opened(path)
    await store.write(lambda tx: tx.connection.execute(insert(facts), {"name": "kept", "value": "yes"}).rowcount)
    store.close(WAIT)


def version_in(path: Path) -> str:
    """The schema that a file says it has."""
    with closing(sqlite3.connect(path)) as file:
        return file.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def shape_of(path: Path) -> set[tuple[str, str]]:
    """Every table and index, as it was made."""
    with closing(sqlite3.connect(path)) as file:
        return set(file.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def test_migrating_an_empty_file_gives_the_schema_of_the_code(tmp_path: Path) -> None:
    opened(tmp_path / "hitl.db").close(WAIT)
    engine = create_engine(f"sqlite:///{tmp_path / 'hitl.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": metadata}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()
    assert version_in(tmp_path / "hitl.db") == SCHEMA_HEAD
    assert not (tmp_path / "backups").exists()
    assert any("AUTOINCREMENT" in sql for name, sql in shape_of(tmp_path / "hitl.db") if name == "events")


def test_the_head_in_the_code_is_the_head_of_the_scripts_and_there_is_one(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'any.db'}")
    with engine.connect() as connection:
        scripts = ScriptDirectory.from_config(alembic_config(connection))
        assert scripts.get_heads() == [SCHEMA_HEAD]
        assert len(scripts.get_bases()) == 1
    engine.dispose()


async def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "hitl.db"
    await made(path)
    before = path.read_bytes()
    store = opened(path)
    assert await store.read(lambda tx: tx.connection.execute(select(facts.c.value)).scalars().all()) == ["1", "yes"]
    store.close(WAIT)
    assert path.read_bytes() == before
    assert not (tmp_path / "backups").exists()


async def test_a_newer_schema_is_refused_with_words_and_not_one_byte_changes(tmp_path: Path) -> None:
    path = tmp_path / "hitl.db"
    await made(path)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    with pytest.raises(NotConfigured, match=rf"schema 9999.*up to {SCHEMA_HEAD}\. Update hitl-mcp"):
        opened(path)
    assert path.read_bytes() == before
    assert not (tmp_path / "backups").exists()
    assert version_in(path) == "9999"


NEXT = f"{int(SCHEMA_HEAD) + 1:04}"
SCRIPT = f'''
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{NEXT}", "{SCHEMA_HEAD}"
def upgrade() -> None:
    op.add_column("users", sa.Column("nickname", sa.Text()))
    op.execute("UPDATE facts SET value = 'changed' WHERE name = 'kept'")
'''
OPEN = """
import sys
from pathlib import Path
from hitl_mcp.service.clock import wall_clock
from hitl_mcp.service.store.sqlite import SQLiteStore
path = Path(sys.argv[1])
SQLiteStore(path, wall_clock, path.parent / "backups").close(5)
"""


def opened_by_the_next_version(folder: Path, path: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Open a file with a copy of the product that has one migration more."""
    package = folder / "hitl_mcp"
    if not package.exists():
        shutil.copytree(Path(hitl_mcp.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    store = package / "service" / "store"
    (store / "migrations" / "versions" / f"{NEXT}_next.py").write_text(script)
    tables = (store / "tables" / "__init__.py").read_text()
    (store / "tables" / "__init__.py").write_text(
        tables.replace(f'SCHEMA_HEAD = "{SCHEMA_HEAD}"', f'SCHEMA_HEAD = "{NEXT}"')
    )
    command = [sys.executable, "-c", OPEN, str(path)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


async def test_an_older_file_is_copied_before_it_is_migrated_and_can_be_gone_back_to(tmp_path: Path) -> None:
    path = tmp_path / "hitl.db"
    await made(path)
    shape = shape_of(path)
    done = opened_by_the_next_version(tmp_path / "next", path, SCRIPT)
    assert done.returncode == 0, done.stderr
    assert version_in(path) == NEXT
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT value FROM facts WHERE name = 'kept'").fetchone() == ("changed",)
    (backup,) = (tmp_path / "backups").iterdir()
    assert backup.name.startswith(f"hitl-{SCHEMA_HEAD}-")
    assert (version_in(backup), shape_of(backup)) == (SCHEMA_HEAD, shape)
    with pytest.raises(NotConfigured, match=f"schema {NEXT}"):
        opened(path)
    backup.replace(path)
    store = opened(path)
    query = select(facts.c.value).where(facts.c.name == "kept")
    assert await store.read(lambda tx: tx.connection.execute(query).scalar_one()) == "yes"
    store.close(WAIT)


async def test_a_migration_that_fails_half_way_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "hitl.db"
    await made(path)
    shape = shape_of(path)
    broken = SCRIPT + "    op.execute('SELECT * FROM no_such_table')\n"
    failed = opened_by_the_next_version(tmp_path / "next", path, broken)
    assert failed.returncode != 0
    assert "no_such_table" in failed.stderr
    assert (version_in(path), shape_of(path)) == (SCHEMA_HEAD, shape)
    store = opened(path)
    query = select(facts.c.value).where(facts.c.name == "kept")
    assert await store.read(lambda tx: tx.connection.execute(query).scalar_one()) == "yes"
    store.close(WAIT)
