"""The command line. Errors are one sentence on stderr and exit code 2."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import click

from hitl_mcp import __version__
from hitl_mcp.contract import routes
from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.local import ServiceStatus
from hitl_mcp.errors import HITLError
from hitl_mcp.settings import can_show_a_browser, check_backend, read_settings, windows_appdata

T = TypeVar("T")


def _run(work: Coroutine[Any, Any, T]) -> T:
    async def main() -> T:
        return await work

    return anyio.run(main)


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HITLError as error:
            raise _Failure(str(error)) from None


class _Failure(click.ClickException):
    exit_code = 2


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hitl-mcp")
def main() -> None:
    """Put a person into an AI agent's loop.

    Without a command this is the MCP server on stdin and stdout, started by your MCP client.
    """


@main.command()
@click.option("--auto", is_flag=True, help="A scripted reviewer answers, through the same pages as a browser.")
def demo(auto: bool) -> None:
    """Show the whole path: an agent asks, you decide, the agent gets your decision."""
    from hitl_mcp.demo import run_demo

    sys.exit(_run(run_demo(auto=auto)))


@main.command()
def status() -> None:
    """Show the local service. Exit code 1 when none runs."""
    state = _run(_status())
    if state is None:
        click.echo("No local service is running. It is started when an agent or `hitl-mcp inbox` needs it.")
        sys.exit(1)
    click.echo(f"Local service: running, process {state.pid}, version {state.version}, SQLite {state.sqlite_version}")
    click.echo(f"Inbox: {state.inbox} (open it with `hitl-mcp inbox`)")
    click.echo(f"Open requests: {state.open_requests}; agents waiting: {state.agents}; open pages: {state.pages}")
    click.echo(f"Data folder: {read_settings().data_dir}")
    if state.hosted_by == "stdio":
        click.echo("It runs inside an agent's process and ends with it.")
    for warning in state.warnings:
        click.echo(f"Warning: {warning}")


async def _status() -> ServiceStatus | None:
    from hitl_mcp.launcher import ask, find

    settings = read_settings()
    check_backend(settings)
    found = await find(settings.data_dir)
    if found is None:
        return None
    return ServiceStatus.model_validate(await ask(found.console(), "GET", routes.STATUS))


@main.command()
def start() -> None:
    """Start the local service if none runs, for instance at login. Agents and the inbox do so by themselves."""
    from hitl_mcp.launcher import LocalService

    async def work() -> None:
        found = await LocalService(read_settings()).found_or_started()
        click.echo(f"The local service runs (process {found.state.pid}). Open the inbox with `hitl-mcp inbox`.")

    _run(work())


@main.command()
def stop() -> None:
    """End the local service. Open requests stay; they go on when it is started again."""
    click.echo(_run(_stop()))


async def _stop() -> str:
    from hitl_mcp.launcher import end, find

    settings = read_settings()
    check_backend(settings)
    found = await find(settings.data_dir)
    if found is None:
        return "No local service is running."
    if not await end(found):
        raise HITLError(f"The service (process {found.state.pid}) was asked to end and still runs. End that process.")
    return "The local service has ended."


@main.command()
@click.option("--print", "printed", is_flag=True, help="Print an address and a code, for machines without a browser.")
@click.argument("request_id", required=False)
def inbox(printed: bool, request_id: str | None) -> None:
    """Open the inbox in your browser, signed in; starts the service if need be."""
    if request_id is not None and not is_id(request_id):
        raise HITLError(
            f"{request_id!r} is not a request id: 24 characters 0-9 and a-f. `hitl-mcp pending` lists them."
        )
    if printed:
        from hitl_mcp.terminal import confirm, need_a_person

        need_a_person("sign in to the inbox")
        confirm("Show a sign-in code here? Whoever reads it within 60 seconds can answer in your name.")
    click.echo(_run(_inbox(printed, request_id)))


async def _inbox(printed: bool, request_id: str | None) -> str:
    from hitl_mcp.launcher import LocalService, ask

    found = await LocalService(read_settings()).found_or_started()
    console = found.console()
    if printed:
        made = await ask(console, "POST", routes.SIGN_INS, {"typed": True})
        return (
            f"Open  {made['address']}\nCode  {made['code']}   (once, within {made['expires_in']} seconds)\n"
            f"Over SSH, forward the port first: ssh -L {found.state.port}:127.0.0.1:{found.state.port} HOST"
        )
    opened = (await ask(console, "POST", routes.OPEN_INBOX, {"request_id": request_id}))["opened"]
    if not opened and can_show_a_browser():  # the service may have been started where there was no desktop
        from hitl_mcp.service.notify.browser import show

        made = await ask(console, "POST", routes.SIGN_INS, {})
        origin = made["address"].removesuffix("/sign-in")
        opened = await anyio.to_thread.run_sync(show, found.folder / "open", origin, made["code"], request_id)
    if opened:
        return "The inbox opens in your browser."
    raise HITLError("No browser could be opened from here. On a machine without one use `hitl-mcp inbox --print`.")


@main.command()
def pending() -> None:
    """List the questions that wait for a person, the most urgent first."""
    from hitl_mcp.launcher import LocalService
    from hitl_mcp.reviewing import pending as waiting
    from hitl_mcp.terminal import one_line

    async def work() -> None:
        found = await LocalService(read_settings()).found_or_started()
        requests = await waiting(found)
        for request in requests:
            due = f"{request.timeout_at:%m-%d %H:%M} UTC"
            click.echo(f"{request.id}  {request.priority.value:8}  until {due}  {one_line(request.request_text, 80)}")
        click.echo("Nothing waits." if not requests else "Answer with: hitl-mcp respond REQUEST_ID, or hitl-mcp inbox")

    _run(work())


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
        found = await LocalService(read_settings()).found_or_started()
        request = await answer(found, request_id)
        who = request.response_by_user
        click.echo(f"Decided by {who.name}." if who else f"It can no longer be answered: {request.status.value}.")

    _run(work())


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
