"""Reviewing at the terminal: pending and respond."""

from __future__ import annotations

import click

from hitl_mcp.cli.group import local_settings, main, run
from hitl_mcp.contract.ids import is_id
from hitl_mcp.errors import HITLError


@main.command()
def pending() -> None:
    """List the questions that wait for a person, the most urgent first."""
    from hitl_mcp.launcher import LocalService
    from hitl_mcp.reviewing import pending as waiting
    from hitl_mcp.terminal import one_line

    async def work() -> None:
        found = await LocalService(local_settings("hitl-mcp pending")).found_or_started()
        requests = await waiting(found)
        for request in requests:
            due = f"{request.timeout_at:%m-%d %H:%M} UTC"
            click.echo(f"{request.id}  {request.priority.value:8}  until {due}  {one_line(request.request_text, 80)}")
        click.echo("Nothing waits." if not requests else "Answer with: hitl-mcp respond REQUEST_ID, or hitl-mcp inbox")

    run(work())


@main.command()
@click.argument("request_id")
def respond(request_id: str) -> None:
    """Read a question whole and answer it here."""
    from hitl_mcp.launcher import LocalService
    from hitl_mcp.reviewing import respond as answer
    from hitl_mcp.terminal import need_a_person

    if not is_id(request_id):
        raise HITLError(
            f"{request_id!r} is not a request id: 24 characters 0-9 and a-f. `hitl-mcp pending` lists them."
        )
    need_a_person("answer a request")

    async def work() -> None:
        found = await LocalService(local_settings("hitl-mcp respond")).found_or_started()
        request = await answer(found, request_id)
        who = request.response_by_user
        click.echo(f"Decided by {who.name}." if who else f"It can no longer be answered: {request.status.value}.")

    run(work())
