"""The configuration of MCP clients."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

import click

from hitl_mcp.cli.group import main
from hitl_mcp.settings import windows_appdata


@main.group()
def config() -> None:
    """Show or write the configuration of an MCP client."""


@config.command("claude-desktop")
@click.option("--write", "written", is_flag=True, help="Write it, after showing the change and keeping a backup.")
@click.option("--yes", is_flag=True, help="Do not ask before writing.")
@click.option("--file", "target", type=click.Path(path_type=Path, dir_okay=False), help="Another configuration file.")
def claude_desktop(written: bool, yes: bool, target: Path | None) -> None:
    """Claude Desktop."""
    from hitl_mcp import clients

    path = target or clients.claude_desktop_file(sys.platform, Path.home(), windows_appdata())
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if not written:
        click.echo(f"Put this into {path}, or run this command again with --write:\n", err=True)
        click.echo(clients.merged(""), nl=False)
        return
    after = clients.merged(before)
    if after == before:
        click.echo(f"{path} is already right.")
        return
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "now", "then", lineterm="")
    click.echo("\n".join([f"Change of {path}:", *lines]))
    if not yes:
        click.confirm("Write it?", abort=True)
    backup = clients.write(path, after)
    click.echo(
        f"Written. {f'The former file is {backup}. ' if backup else ''}Restart Claude Desktop from its tray or menu."
    )
