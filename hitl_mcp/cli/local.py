"""The local service and its inbox: status, start, stop, inbox; and the demo."""

from __future__ import annotations

import sys

import anyio
import anyio.to_thread
import click

from hitl_mcp.cli.group import local_settings, main, run
from hitl_mcp.contract import routes
from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.local import ServiceStatus
from hitl_mcp.errors import HITLError
from hitl_mcp.settings import can_show_a_browser, read_settings


@main.command()
@click.option("--auto", is_flag=True, help="A scripted reviewer answers, through the same pages as a browser.")
def demo(auto: bool) -> None:
    """Show the whole path: an agent asks, you decide, the agent gets your decision."""
    from hitl_mcp.demo import run_demo

    sys.exit(run(run_demo(auto=auto)))


@main.command()
def status() -> None:
    """Show the local service. Exit code 1 when none runs."""
    if read_settings().database_url is not None:
        raise HITLError(
            "HITL_DATABASE_URL is set, so there is no local service. `hitl-mcp doctor` looks at the server."
        )
    state = run(_status())
    if state is None:
        click.echo("No local service is running. It is started when an agent or `hitl-mcp inbox` needs it.")
        sys.exit(1)
    what = "Team server" if state.hosted_by == "serve" else "Local service"
    click.echo(f"{what}: running, process {state.pid}, version {state.version}, SQLite {state.sqlite_version}")
    click.echo(f"Inbox: {state.inbox} (open it with `hitl-mcp inbox`)")
    click.echo(f"Open requests: {state.open_requests}; agents waiting: {state.agents}; open pages: {state.pages}")
    click.echo(f"Data folder: {read_settings().data_dir}")
    if state.hosted_by == "stdio":
        click.echo("It runs inside an agent's process and ends with it.")
    for warning in state.warnings:
        click.echo(f"Warning: {warning}")


async def _status() -> ServiceStatus | None:
    from hitl_mcp.sdk.local import ask, find

    settings = local_settings("hitl-mcp status")
    found = await find(settings.data_dir)
    if found is None:
        return None
    return ServiceStatus.model_validate(await ask(found.console(), "GET", routes.STATUS))


@main.command()
def start() -> None:
    """Start the local service if none runs, for instance at login. Agents and the inbox do so by themselves."""
    from hitl_mcp.launcher import LocalService

    async def work() -> None:
        found = await LocalService(local_settings("hitl-mcp start")).found_or_started()
        click.echo(f"The local service runs (process {found.state.pid}). Open the inbox with `hitl-mcp inbox`.")

    run(work())


@main.command()
def stop() -> None:
    """End the local service. Open requests stay; they go on when it is started again."""
    click.echo(run(_stop()))


async def _stop() -> str:
    from hitl_mcp.launcher import end
    from hitl_mcp.sdk.local import find

    settings = local_settings("hitl-mcp stop")
    found = await find(settings.data_dir)
    if found is None:
        return "No local service is running."
    if not await end(found):
        raise HITLError(f"The service (process {found.state.pid}) was asked to end and still runs. End that process.")
    return "The local service has ended."


@main.command()
@click.option("--print", "printed", is_flag=True, help="Print an address and a code, for machines without a browser.")
@click.option("--for", "email", metavar="EMAIL", help="With --print: a code for this person of a team's server.")
@click.argument("request_id", required=False)
def inbox(printed: bool, email: str | None, request_id: str | None) -> None:
    """Open the inbox in your browser, signed in; starts the service if need be."""
    if request_id is not None and not is_id(request_id):
        raise HITLError(
            f"{request_id!r} is not a request id: 24 characters 0-9 and a-f. `hitl-mcp pending` lists them."
        )
    if printed:
        from hitl_mcp.terminal import confirm, need_a_person

        need_a_person("sign in to the inbox")
        confirm("Show a sign-in code here? Whoever reads it within 60 seconds can answer in your name.")
        click.echo(run(_sign_in_code(email)))
        return
    if email is not None:
        raise HITLError("--for needs --print: a browser on this machine is opened for the service's owner only.")
    click.echo(run(_inbox(request_id)))


async def _sign_in_code(email: str | None) -> str:
    from hitl_mcp.console import console
    from hitl_mcp.sdk.local import ask

    settings = read_settings()
    async with console(settings) as endpoint:
        made = await ask(endpoint, "POST", routes.SIGN_INS, {"typed": True, "email": email})
        lines = [f"Open  {made['address']}", f"Code  {made['code']}   (once, within {made['expires_in']} seconds)"]
        if settings.public_url is None:
            lines.append(f"Over SSH, forward the port first: ssh -L {endpoint.port}:127.0.0.1:{endpoint.port} HOST")
        return "\n".join(lines)


async def _inbox(request_id: str | None) -> str:
    from hitl_mcp.launcher import LocalService
    from hitl_mcp.sdk.local import ask

    settings = local_settings("hitl-mcp inbox")
    if settings.database_url is not None:
        raise HITLError("This inbox is on a team's server. Get a code to sign in there with `hitl-mcp inbox --print`.")
    found = await LocalService(settings).found_or_started()
    console = found.console()
    opened = (await ask(console, "POST", routes.OPEN_INBOX, {"request_id": request_id}))["opened"]
    if not opened and can_show_a_browser():  # the service may have been started where there was no desktop
        from hitl_mcp.service.notify.browser import show

        made = await ask(console, "POST", routes.SIGN_INS, {})
        origin = made["address"].removesuffix("/sign-in")
        opened = await anyio.to_thread.run_sync(show, found.folder / "open", origin, made["code"], request_id)
    if opened:
        return "The inbox opens in your browser."
    raise HITLError("No browser could be opened from here. On a machine without one use `hitl-mcp inbox --print`.")
