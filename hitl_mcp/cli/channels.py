"""How the machine's own user is reached: chats, mail and phones, at the terminal."""

from __future__ import annotations

from typing import Any

import click

from hitl_mcp.cli.group import main, run
from hitl_mcp.contract import routes
from hitl_mcp.errors import HITLError
from hitl_mcp.settings import read_settings

TEST_SECONDS = 60.0


@main.group()
def channels() -> None:
    """Say how you are told of requests: chat, mail, phone."""


@channels.command("list")
def list_channels() -> None:
    """List your channels, without what is secret in them."""
    from hitl_mcp.terminal import one_line

    known = run(_asked("GET", routes.CHANNELS))["channels"]
    for one in known:
        state = "on" if one["enabled"] else "off"
        sent = f"last arrived {one['last_sent_at'][:16]}" if one["last_sent_at"] else "nothing arrived yet"
        click.echo(f"{one['id']}  {state:3}  {one_line(one['name'])}; {sent}")
        if one["failed_at"]:
            click.echo(f"{'':26}failed {one['failed_at'][:16]}: {one_line(one['fault'] or '', 200)}")
    if not known:
        click.echo("There is none yet. Add one with: hitl-mcp channels add")


@channels.command("add")
@click.option("--name", default="", help="What you call it.")
@click.option("--quote/--no-quote", default=True, help="Whether messages quote the question's first line.")
def add_channel(name: str, quote: bool) -> None:
    """Add a channel by its Apprise address, which is asked for and not shown.

    Addresses look like ntfys://ntfy.sh/TOPIC or mailtos://USER:PASSWORD@HOST; see https://appriseit.com/services/
    """
    from hitl_mcp.terminal import need_a_person, one_line

    need_a_person("add a channel")
    address = click.prompt("Apprise address (not shown)", hide_input=True)
    made = run(_asked("POST", routes.CHANNELS, {"address": address.strip(), "name": name, "shows_text": quote}))
    click.echo(f"Added: {one_line(made['name'])}. Try it with: hitl-mcp channels test {made['id']}")


@channels.command("remove")
@click.argument("channel_id")
def remove_channel(channel_id: str) -> None:
    """Forget a channel."""
    from hitl_mcp.terminal import need_a_person

    need_a_person("remove a channel")
    run(_asked("DELETE", routes.CHANNEL.format(channel_id=channel_id)))
    click.echo("Removed.")


@channels.command("test")
@click.argument("channel_id")
def test_channel(channel_id: str) -> None:
    """Send yourself a message over a channel."""
    came = run(_asked("POST", routes.CHANNEL_TEST.format(channel_id=channel_id)))
    if not came["arrived"]:
        raise HITLError(f"It did not arrive: {came['fault']}")
    click.echo("Taken by the receiver. Look whether it arrived.")


async def _asked(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    from hitl_mcp.console import console
    from hitl_mcp.sdk.local import ask

    async with console(read_settings()) as endpoint:
        return await ask(endpoint, method, path, body, seconds=TEST_SECONDS)
