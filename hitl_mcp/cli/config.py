"""The configuration of MCP clients."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from pydantic import SecretStr

from hitl_mcp.cli.group import main
from hitl_mcp.clients import CLIENTS, Client, change, disk
from hitl_mcp.clients.unsafe import Unsafe
from hitl_mcp.clients.wanted import KEY, OPEN, Wanted, endpoint
from hitl_mcp.errors import NotConfigured
from hitl_mcp.settings import Settings, read_settings, windows_appdata


@main.group()
def config() -> None:
    """Show or write the configuration of an MCP client."""


def _command(client: Client) -> click.Command:
    @click.command(client.name, help=f"{client.title}.")
    @click.option("--write", "written", is_flag=True, help="Write it, after showing the change and keeping a backup.")
    @click.option("--yes", is_flag=True, help="Do not ask before writing.")
    @click.option("--file", "target", type=click.Path(path_type=Path, dir_okay=False), help="Another file of its kind.")
    @click.option("--remote", metavar="URL", help="A team's server instead of one that the client starts.")
    @click.option(
        "--env", "names", multiple=True, type=click.Choice((KEY, *OPEN)),
        help="Put this variable's present value into the block; repeat for several.",
    )  # fmt: skip
    def command(written: bool, yes: bool, target: Path | None, remote: str | None, names: tuple[str, ...]) -> None:
        wanted = _wanted(names, remote)
        path = target or client.file(sys.platform, Path.home(), windows_appdata())
        if written:
            _write(client, wanted, path, yes)
        else:
            _show(client, wanted, path)

    return command


for _client in CLIENTS:
    config.add_command(_command(_client))


def _wanted(names: tuple[str, ...], remote: str | None) -> Wanted:
    """What the options ask for. Raises: NotConfigured when a variable is not set, or goes with a local server only."""
    settings = read_settings()
    if remote and set(names) - {KEY}:
        raise NotConfigured(f"A team's server has settings of its own: with --remote only --env {KEY} makes sense.")
    if KEY in _given(settings) and KEY not in names and not remote:
        click.echo(
            f"{KEY} is set here, but the client does not see it. Add --env {KEY} to put it into the block.", err=True
        )
    return Wanted(
        {name: _value(settings, name) for name in names},
        endpoint(remote) if remote else None,
    )


def _given(settings: Settings) -> set[str]:
    """The variables that are set, by their names."""
    return {f"HITL_{name.upper()}" for name in settings.model_fields_set}


def _value(settings: Settings, name: str) -> str:
    if name not in _given(settings):
        raise NotConfigured(f"--env {name}: it is not set here. Set it in this terminal, or leave the option out.")
    value: object = getattr(settings, name.removeprefix("HITL_").lower())
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _show(client: Client, wanted: Wanted, path: Path) -> None:
    block = change.block(client, wanted)
    click.echo(f"Put this into {path}, or run this command again with --write:\n", err=True)
    click.echo(block, nl=False)
    if change.HIDDEN in block:
        click.echo(f"\nWrite the value for {change.HIDDEN}, or let --write do it.", err=True)
    elif client.other_way:
        click.echo(f"\nOr: {client.other_way(client.block(wanted))}", err=True)


def _write(client: Client, wanted: Wanted, path: Path, yes: bool) -> None:
    file = disk.read(path)
    try:
        after = change.changed(client, file.text, wanted)
    except Unsafe as reason:
        raise NotConfigured(
            f"{file.path} cannot be changed safely: {reason} Nothing was changed. "
            f"Put this into it by hand:\n\n{change.block(client, wanted)}"
        ) from None
    if after == file.text:
        click.echo(f"{file.path} is already right.")
        return
    click.echo(f"Change of {file.path}:\n{change.difference(client, file.text, after)}")
    if not yes:
        click.confirm("Write it?", abort=True)
    backup = disk.replace(file, after)
    click.echo(f"Written. {f'The former file is {backup}. ' if backup else ''}{client.after}")
