"""API keys for programs: made, listed and revoked at the machine's own terminal."""

from __future__ import annotations

from typing import Any

import click

from hitl_mcp.cli.group import main, run
from hitl_mcp.contract import routes
from hitl_mcp.contract.teams import DEFAULT_SCOPES, Scope
from hitl_mcp.settings import read_settings


@main.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice([scope.value for scope in Scope]),
    help="What it may do; repeat for several. By default it reads loops, and asks and reads requests.",
)  # fmt: skip
@click.option("--loop", "loop_ids", multiple=True, metavar="LOOP_ID", help="Limit it to this loop; repeat for several.")
@click.option("--for", "email", metavar="EMAIL", help="The person it acts for; by default the service's owner.")
def create_key(name: str, scopes: tuple[str, ...], loop_ids: tuple[str, ...], email: str | None) -> None:
    """Make a key named NAME and show it once."""
    body = {
        "name": name,
        "scopes": list(scopes) or [scope.value for scope in DEFAULT_SCOPES],
        "loop_ids": list(loop_ids) or None,
        "email": email,
    }
    made = run(_asked("POST", routes.KEYS, body))
    click.echo(f"Key      {made['key']}   (shown once)")
    click.echo(f"URL      {made['base_url']}")
    click.echo(f"Secret   {made['callback_secret']}   (signs callbacks; shown once)")
    click.echo(f"Acts for {made['person']}; may {', '.join(made['scopes'])}")
    click.echo(f'Try      curl -H "Authorization: Bearer {made["key"]}" {made["base_url"]}/v1/test')


@keys.command("list")
def list_keys() -> None:
    """List the keys, without their secrets."""
    known = run(_asked("GET", routes.KEYS))["keys"]
    for key in known:
        state = f"revoked {key['revoked_at'][:16]}" if key["revoked_at"] else "active"
        limit = f"; loops {', '.join(key['loop_ids'])}" if key["loop_ids"] else ""
        may = f"{', '.join(key['scopes'])}{limit}"
        click.echo(f"{key['id']}  {key['hint']}  {state}  {key['name']}  for {key['person']}; {may}")
    if not known:
        click.echo("There is no key yet. Make one with: hitl-mcp keys create NAME")


@keys.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """End a key for good. Its requests stay."""
    revoked = run(_asked("DELETE", routes.KEY.format(key_id=key_id)))
    click.echo(f"Revoked: {revoked['name']} ({revoked['id']}). It stops working within two seconds.")


async def _asked(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    from hitl_mcp.console import console
    from hitl_mcp.sdk.local import ask

    async with console(read_settings()) as endpoint:
        return await ask(endpoint, method, path, body)
