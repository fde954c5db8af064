"""People of a team's server, made at its own terminal: the first one, and others."""

from __future__ import annotations

from typing import Any

import click

from hitl_mcp.cli.group import main, run
from hitl_mcp.contract import routes
from hitl_mcp.contract.teams import Role
from hitl_mcp.settings import read_settings


@main.group()
def people() -> None:
    """Add people to a team's server, and list them."""


@people.command("add")
@click.argument("name")
@click.argument("address")
@click.option("--owner", is_flag=True, help="This is the server's owner, its first person.")
@click.option("--loop", "loop", metavar="LOOP_ID", help="Put them into this loop at once.")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default=Role.REVIEWER.value, show_default=True,
    help="With --loop: what they are in it.",
)  # fmt: skip
def add_person(name: str, address: str, owner: bool, loop: str | None, role: str) -> None:
    """Let NAME sign in with ADDRESS."""
    body = {"name": name, "email": address, "owner": owner, "loop_id": loop, "role": role}
    made = run(_asked("POST", routes.PEOPLE, body))
    click.echo(f"{made['name']} ({made['email']}) can sign in on {made['address']}")
    click.echo(f"Get a code for them with: hitl-mcp inbox --print --for {made['email']}")
    if not owner and loop is None and not made["loops"]:
        click.echo("They are in no loop yet: invite them from a loop's page, or give --loop.")


@people.command("list")
def list_people() -> None:
    """List who can sign in."""
    known = run(_asked("GET", routes.PEOPLE))["people"]
    for one in known:
        marks = ["owner of this server"] if one["is_owner"] else []
        marks.append(f"{one['loops']} loop{'' if one['loops'] == 1 else 's'}")
        marks.append("password" if one["has_password"] else "no password")
        click.echo(f"{one['name']}  {one['email'] or 'no address yet'}  {', '.join(marks)}")
    if not any(one["email"] for one in known):
        click.echo("Nobody can sign in yet. Make the first person: hitl-mcp people add NAME ADDRESS --owner")


async def _asked(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    from hitl_mcp.console import console
    from hitl_mcp.sdk.local import ask

    async with console(read_settings()) as endpoint:
        return await ask(endpoint, method, path, body)
