"""Webhooks at the terminal: endpoints of the key in use, what was sent, and what this machine may call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hitl_mcp.cli.group import local_settings, main, run
from hitl_mcp.contract import routes
from hitl_mcp.settings import read_settings
from hitl_mcp.terminal import one_line

if TYPE_CHECKING:
    from hitl_mcp.contract.webhooks import Delivered, Webhook
    from hitl_mcp.sdk.aio import AsyncHITLClient

T = TypeVar("T")
MOST_WORDS = 300


@main.group()
def webhooks() -> None:
    """Register addresses that are told of what happens, and see what was sent there."""


@webhooks.command("add")
@click.argument("url")
@click.option("--event", "events", multiple=True, metavar="NAME", help="Such as request.completed, request.*, or "
              "!request.claimed; repeat for several. By default everything.")  # fmt: skip
@click.option("--loop", "loop_id", metavar="LOOP_ID", help="Only what happens in this loop.")
@click.option("--description", help="For whoever reads the list.")
def add(url: str, events: tuple[str, ...], loop_id: str | None, description: str | None) -> None:
    """Register URL and show its secret once."""
    fields = {"url": url, "events": list(events) or ["*"], "loop_id": loop_id, "description": description}
    made = _with(lambda client: client.create_webhook(fields))
    click.echo(f"Webhook  {made.id}")
    click.echo(f"Secret   {made.secret}   (signs what is sent there; shown once)")
    click.echo(f"Try      hitl-mcp webhooks test {made.id}")


@webhooks.command("list")
def list_() -> None:
    """List the endpoints that this key registered."""
    found = _with(lambda client: client.list_webhooks())
    for hook in found:
        click.echo(f"{hook.id}  {_state(hook)}  {one_line(hook.url, 100)}  {', '.join(hook.events)}")
    if not found:
        click.echo("There is none yet. Register one with: hitl-mcp webhooks add URL")


@webhooks.command("show")
@click.argument("webhook_id")
def show(webhook_id: str) -> None:
    """Show one endpoint and how it fares."""
    hook = _with(lambda client: client.get_webhook(webhook_id))
    click.echo(f"URL      {hook.url}\nEvents   {', '.join(hook.events)}\nState    {_state(hook)}")
    if hook.disabled_why:
        click.echo(f"Why      {one_line(hook.disabled_why, MOST_WORDS)}\nRepaired? hitl-mcp webhooks enable {hook.id}")
    if hook.loop_id:
        click.echo(f"Loop     {hook.loop_id}")
    if hook.former_secret_until:
        click.echo(f"Rotating: the former secret signs too until {hook.former_secret_until:%Y-%m-%d %H:%M} UTC")


@webhooks.command("enable")
@click.argument("webhook_id")
def enable(webhook_id: str) -> None:
    """Send to an endpoint again. What it missed is sent with redeliver."""
    click.echo(_state(_with(lambda client: client.update_webhook(webhook_id, enabled=True))))


@webhooks.command("disable")
@click.argument("webhook_id")
def disable(webhook_id: str) -> None:
    """Send nothing to an endpoint until it is enabled."""
    click.echo(_state(_with(lambda client: client.update_webhook(webhook_id, enabled=False))))


@webhooks.command("remove")
@click.argument("webhook_id")
def remove(webhook_id: str) -> None:
    """Forget an endpoint with its secret."""
    _with(lambda client: client.delete_webhook(webhook_id))
    click.echo("Removed.")


@webhooks.command("test")
@click.argument("webhook_id")
def test(webhook_id: str) -> None:
    """Send a test now and say what came back. Exit code 1 when it did not arrive."""
    sent = _with(lambda client: client.test_webhook(webhook_id))
    click.echo(_line(sent))
    if sent.state != "done":
        click.echo("It must be reachable from here, answer 200 to 299 at once, and be https unless it was allowed.")
        raise SystemExit(1)


@webhooks.command("rotate")
@click.argument("webhook_id")
@click.option("--overlap", type=click.IntRange(0, 7 * 86_400), default=86_400, show_default=True, metavar="SECONDS",
              help="For how long the former secret signs too.")  # fmt: skip
def rotate(webhook_id: str, overlap: int) -> None:
    """Make a new secret and show it once."""
    rotated = _with(lambda client: client.rotate_webhook(webhook_id, overlap_seconds=overlap))
    click.echo(f"Secret   {rotated.secret}   (shown once)")
    if rotated.former_secret_until:
        click.echo(f"The former one signs too until {rotated.former_secret_until:%Y-%m-%d %H:%M} UTC.")


@webhooks.command("deliveries")
@click.argument("webhook_id")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
def deliveries(webhook_id: str, limit: int) -> None:
    """List what was sent, newest first, with every attempt."""
    found = _with(lambda client: client.list_deliveries(webhook_id, limit=limit))
    for sent in found:
        click.echo(_line(sent))
    if not found:
        click.echo("Nothing was sent yet. Try: hitl-mcp webhooks test " + webhook_id)


@webhooks.command("redeliver")
@click.argument("webhook_id")
@click.option("--delivery", "delivery_id", type=int, help="Only this one; `deliveries` shows the numbers.")
@click.option("--since", metavar="TIME", help="All since then, such as 2026-03-02T09:30:00Z.")
def redeliver(webhook_id: str, delivery_id: int | None, since: str | None) -> None:
    """Send one delivery, or all since a time, again, under the same event ids."""
    count = _with(lambda client: client.redeliver(webhook_id, delivery_id=delivery_id, since=since))
    click.echo(f"{count} on the way again.")


@webhooks.command("allow")
@click.argument("address", required=False)
@click.option("--remove", is_flag=True, help="Take it out again.")
def allow(address: str | None, remove: bool) -> None:
    """Let this machine's service call ADDRESS although it is private or plain http, such as 127.0.0.1:5678.

    Without ADDRESS it lists what is allowed. On a server this is the setting HITL_OUTGOING_ALLOW.
    """
    from hitl_mcp.terminal import need_a_person

    if address is not None:
        need_a_person("allow an address")
    body = None if address is None else {"address": address, "keep": not remove}
    found = _console("GET" if body is None else "POST", routes.OUTGOING, body)["allowed"]
    click.echo("Allowed: " + (", ".join(found) or "public https addresses only"))


@webhooks.command("callback-secret")
def callback_secret() -> None:
    """Make a new secret for the callbacks of this machine's agents, and show it once. The former one ends."""
    from hitl_mcp.terminal import need_a_person

    need_a_person("make a secret")
    click.echo(f"Secret   {_console('POST', routes.CALLBACK_SECRET, {})['callback_secret']}   (shown once)")


def _with(work: Callable[[AsyncHITLClient], Awaitable[T]]) -> T:
    """Something done with a client of the backend that the settings choose."""

    async def main() -> T:
        from hitl_mcp.backends import open_backend

        async with open_backend(read_settings()) as client:
            return await work(client)

    return run(main())


def _console(method: str, path: str, body: dict[str, Any] | None) -> dict[str, list[str]]:
    """A call that only this machine's terminal may make."""
    settings = local_settings("hitl-mcp webhooks")

    async def main() -> dict[str, list[str]]:
        from hitl_mcp.console import console
        from hitl_mcp.sdk.local import ask

        async with console(settings) as endpoint:
            return await ask(endpoint, method, path, body)

    return run(main())


def _state(hook: Webhook) -> str:
    if not hook.enabled:
        return "disabled"
    return "enabled" if hook.failing_since is None else f"failing since {hook.failing_since:%Y-%m-%d %H:%M} UTC"


def _line(sent: Delivered) -> str:
    tried = "; ".join(
        f"{one.at:%m-%d %H:%M:%S} {one.status or 'no answer'} in {one.milliseconds} ms"
        f" {one_line(one.excerpt or '', 120)}"
        for one in sent.attempts
    )
    again = f", again at {sent.next_at:%m-%d %H:%M:%S} UTC" if sent.next_at and sent.attempts else ""
    return f"{sent.id}  {sent.event}  {sent.state}{again}  {sent.event_id}  {tried or 'not tried yet'}"
