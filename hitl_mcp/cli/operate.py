"""Operating a service: doctor, backup, restore, migrate."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hitl_mcp.cli.group import main, run
from hitl_mcp.contract import routes
from hitl_mcp.errors import HITLError, NotConfigured
from hitl_mcp.settings import Settings, read_settings
from hitl_mcp.terminal import one_line

MOST_WORDS = 1_000
"""Of one finding: a backend may have a say in it."""


@main.command()
@click.argument("request_id", required=False)
@click.option("--production", is_flag=True, help="Also check what a team forgets before it relies on the service.")
def doctor(request_id: str | None, production: bool) -> None:
    """Check the backend in use, its key, budget, loops and people; with REQUEST_ID also why that request waits.

    Exit code 1 when something is broken.
    """
    from hitl_mcp.doctor import examine

    async def work() -> bool:
        broken = False
        async for found in examine(read_settings(), request_id, production=production):
            click.echo(f"{found.level:5} {found.subject}: {one_line(found.words, MOST_WORDS)}")
            broken = broken or found.level == "fail"
        return broken

    sys.exit(1 if run(work()) else 0)


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup(file: Path) -> None:
    """Copy the SQLite database to FILE while the service runs, and check the copy."""
    from hitl_mcp.console import console
    from hitl_mcp.sdk.local import ask

    settings, target = _on_sqlite("copied", "pg_dump"), str(file.absolute())

    async def work() -> None:
        async with console(settings) as endpoint:
            made = await ask(endpoint, "POST", routes.BACKUP, {"path": target}, seconds=3600)
            click.echo(f"Written and checked: {made['path']} ({made['bytes']} bytes).")

    run(work())


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--yes", is_flag=True, help="Do not ask before replacing the database.")
def restore(file: Path, yes: bool) -> None:
    """Put the copy FILE in the place of the SQLite database. The former database is kept beside it."""
    from hitl_mcp.launcher import end
    from hitl_mcp.sdk.local import find
    from hitl_mcp.service.local.folder import open_folder, take_lock
    from hitl_mcp.service.store.backup import restore as put_back

    settings = _on_sqlite("put back", "pg_restore")
    if not file.exists():
        raise NotConfigured(f"There is no file {file}. Name a copy that `hitl-mcp backup` has made.")
    found = run(find(settings.data_dir))
    if found is not None and found.state.hosted_by != "background":
        raise NotConfigured(
            f"The service of this folder (process {found.state.pid}, {found.state.hosted_by}) is in use. End it, then "
            "run this again."
        )
    if not yes:
        click.confirm(
            f"Replace what is in {settings.data_dir} by {file}? What was decided since the copy is undone", abort=True
        )
    if found is not None and not run(end(found)):
        raise HITLError(f"The service (process {found.state.pid}) does not end. End it, then run this again.")
    folder = open_folder(settings.data_dir)
    lock = take_lock(folder)
    try:
        former = put_back(folder.database, folder.backups, file)
    finally:
        lock.release()
    click.echo(
        f"Restored.{f' The former database is {former}.' if former else ''} The service starts when it is needed."
    )


@main.command()
@click.option("--dry-run", is_flag=True, help="Print the SQL and change nothing.")
def migrate(dry_run: bool) -> None:
    """Bring the PostgreSQL database of HITL_DATABASE_URL to this version's schema."""
    settings = read_settings()
    if settings.database_url is None:
        raise NotConfigured("HITL_DATABASE_URL is not set. A SQLite database is migrated by itself, after a backup.")
    from hitl_mcp.service.store.migrate_postgres import migrate_postgres

    said = run(migrate_postgres(settings.database_url.get_secret_value(), dry_run))
    click.echo(said or "Nothing to do: the schema is this version's.")


def _on_sqlite(done: str, tool: str) -> Settings:
    settings = read_settings()
    if settings.database_url is not None:
        raise NotConfigured(
            f"HITL_DATABASE_URL is set: a PostgreSQL database is {done} with its own tools, such as {tool}."
        )
    return settings
