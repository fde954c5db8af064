"""The event log outside the service: exported, verified and anchored; and what retention takes from it."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from hitl_mcp import __version__
from hitl_mcp.cli.group import main, run
from hitl_mcp.console import console
from hitl_mcp.contract import routes
from hitl_mcp.errors import NotConfigured
from hitl_mcp.sdk.local import ask
from hitl_mcp.settings import read_settings

SECONDS = 600.0
SHOWN = 50
"""Faults that are shown one by one."""


@main.group()
def events() -> None:
    """Export the event log, verify an export, take an anchor."""


@events.command("export")
@click.option("--since", metavar="MOMENT", help="Only what was written from then on, like 2026-03-02 or with a time.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, writable=True), required=False)
def export_log(since: str | None, file: Path | None) -> None:
    """Write the event log as JSON Lines to FILE, or to stdout."""
    moment = None if since is None else _moment(since)
    if file is not None and file.exists():
        raise NotConfigured(f"{file} exists already. Name a new file.")
    with nullcontext(sys.stdout) if file is None else file.open("x", encoding="utf-8") as out:
        count = run(_export(out, moment))
    if file is not None:
        click.echo(f"{count} entries written to {file}.")


async def _export(out: IO[str], since: int | None) -> int:
    count, after = 0, None
    async with console(read_settings()) as endpoint:
        while True:
            where = f"after={after}" if after is not None else f"since={since}" if since is not None else ""
            found = await ask(endpoint, "GET", f"{routes.LOG}?{where}", seconds=SECONDS)
            if after is None:
                _line(out, {"kind": "export", "format": 1, "version": __version__, "after": found["after"]})
            for entry in found["entries"]:
                _line(out, entry)
                after, count = entry["position"], count + 1
            if not found["entries"]:
                _line(out, {"kind": "end", "entries": count})
                return count
    raise AssertionError("unreachable")


def _line(out: IO[str], entry: dict[str, Any]) -> None:
    out.write(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n")


def _moment(text: str) -> int:
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise NotConfigured(f"{text!r} is no moment. Write it like 2026-03-02 or 2026-03-02T09:30:00Z.") from None
    return int((given if given.tzinfo is not None else given.replace(tzinfo=UTC)).timestamp() * 1000)


@events.command("verify")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--anchors", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="The file of anchors.")
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="The key that marks them.")
def verify_log(file: Path, anchors: Path | None, key: Path | None) -> None:
    """Check an exported log without the service. Exit code 1 when something is wrong with it."""
    from hitl_mcp.verify import verify

    secret = None if key is None else _key(key)
    with file.open(encoding="utf-8") as lines:
        if anchors is None:
            found = verify(lines)
        else:
            with anchors.open(encoding="utf-8") as marks:
                found = verify(lines, marks, secret)
    for words in found.says():
        click.echo(words)
    for fault in found.faults[:SHOWN]:
        click.echo(f"WRONG {fault.where}: {fault.words}")
    if hidden := found.more + len(found.faults) - len(found.faults[:SHOWN]):
        click.echo(f"... and {hidden} more.")
    sys.exit(0 if found.whole else 1)


def _key(path: Path) -> bytes:
    try:
        return bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        raise NotConfigured(f"{path} holds no key: 64 hex digits are expected, as in anchor.key.") from None


@events.command("anchor")
def anchor() -> None:
    """Take an anchor now; the service takes one each day."""
    made = run(_asked(routes.ANCHORS, {}))
    if made["outside"]:
        click.echo(f"Anchored; {made['written']} new in {made['file']}. Its key lies beside it.")
    else:
        click.echo("Anchored in the database only: set HITL_ANCHOR_DIR to a folder that its owner cannot write.")


@main.group()
def retention() -> None:
    """Remove the texts of old, closed requests."""


@retention.command("run")
@click.option("--dry-run", is_flag=True, help="Count, and change nothing.")
def run_retention(dry_run: bool) -> None:
    """Do now what the service does each day by HITL_RETENTION_DAYS."""
    done = run(_asked(routes.RETENTION, {"dry_run": dry_run}))
    said = "would lose their texts" if dry_run else "lost their texts"
    first = "; they are archived first" if done["how"] == "archive" else ""
    click.echo(f"{done['requests']} requests that were closed more than {done['days']} days ago {said}{first}.")


async def _asked(path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with console(read_settings()) as endpoint:
        return await ask(endpoint, "POST", path, body, seconds=SECONDS)
