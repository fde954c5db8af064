"""`hitl-mcp demo`: the whole path with real parts, in a throwaway data folder."""

from __future__ import annotations

import re
import signal
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import anyio
import click
from mcp import Client, StdioServerParameters

from hitl_mcp.contract import routes
from hitl_mcp.errors import HITLError
from hitl_mcp.launcher import end
from hitl_mcp.sdk import http
from hitl_mcp.sdk.local import Found, ask, find
from hitl_mcp.settings import demo_environment

ACTION = {
    "action": "Delete the 214 archived customer records older than seven years from the production database",
    "reason": "The retention policy asks for it, and the quarterly audit is next week.",
    "details": "```sql\nDELETE FROM customers\n WHERE archived AND last_order < '2019-11-20';\n```\n"
    "A backup was taken an hour ago.",
    "context": {
        "environment": "production",
        "rows": 214,
        "backup": "2026-11-20 02:00 UTC",
        "reversible": "from backup",
    },
    "priority": "high",
}
WAIT_SECONDS = 600
CODE_SECONDS = 55
COMMENT = "The backup is there; go ahead."


async def run_demo(*, auto: bool) -> int:
    """Run the demo; the exit code. Whatever happens, its service and folder are removed."""
    with tempfile.TemporaryDirectory(prefix="hitl-mcp-demo-", ignore_cleanup_errors=True) as folder:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_end_on_signal, tasks.cancel_scope)
                code = await _demo(Path(folder), auto=auto)
                tasks.cancel_scope.cancel()
                return code
            return 130
        finally:
            with anyio.CancelScope(shield=True):
                found = await find(Path(folder))
                if found is not None:
                    await end(found)
                click.echo("The demo's service has ended and its data is removed.")


async def _end_on_signal(scope: anyio.CancelScope) -> None:
    """A closed terminal or a `kill` ends the demo in order, as Ctrl+C does."""
    if sys.platform == "win32":
        return
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            scope.cancel()


async def _demo(folder: Path, *, auto: bool) -> int:
    click.echo("1. An MCP client starts the real server, as Claude Desktop would.")
    server = StdioServerParameters(
        command=sys.executable, args=["-P", "-m", "hitl_mcp"], env=demo_environment(folder, browser=not auto)
    )
    async with Client(server) as client, anyio.create_task_group() as tasks:
        loops = await client.call_tool("list_loops", {})
        click.echo(f"   list_loops: {_text(loops)}")
        click.echo(f"2. The agent asks: {ACTION['action']}")
        tasks.start_soon(_answer_by_script if auto else _show_the_way, folder)
        decided = await client.call_tool(
            "request_human_approval", {**ACTION, "wait_seconds": WAIT_SECONDS}, progress_callback=_progress
        )
        tasks.cancel_scope.cancel()
        click.echo("4. What the agent gets:")
        click.echo(f"   {_text(decided)}")
        structured: dict[str, Any] = decided.structured_content or {}
        for name in ("outcome", "approved", "decided_by", "decided_at", "reviewer_comment", "channel", "assurance"):
            click.echo(f"   {name}: {structured.get(name)}")
        return 0 if not decided.is_error and structured.get("outcome") not in (None, "pending") else 1
    return 1


def _text(result: object) -> str:
    content = getattr(result, "content", [])
    return " ".join(getattr(part, "text", "") for part in content)


async def _progress(progress: float, total: float | None, message: str | None) -> None:
    click.echo(f"   ... {message}")


async def _service(folder: Path) -> Found:
    """The demo's service, once it has the question."""
    with anyio.fail_after(30):
        while True:
            found = await find(folder)
            if found is not None:
                state = await ask(found.console(), "GET", routes.STATUS)
                if state["open_requests"]:
                    return found
            await anyio.sleep(0.1)


async def _show_the_way(folder: Path) -> None:
    """Print the way in, with a fresh code as long as no page of the inbox is open."""
    found = await _service(folder)
    click.echo("3. Your turn: the inbox opens in your browser. If it does not:")
    while True:
        if not (await ask(found.console(), "GET", routes.STATUS))["pages"]:
            made = await ask(found.console(), "POST", routes.SIGN_INS, {"typed": True})
            click.echo(
                f"   open {made['address']} and type the code {made['code']} within {made['expires_in']} seconds."
            )
        await anyio.sleep(CODE_SECONDS)


class _Form(HTMLParser):
    """Reads the addresses and hidden fields of a page's forms."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: dict[str, dict[str, str]] = {}
        self._action = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "form":
            self._action = given.get("action", "")
            self.forms[self._action] = {}
        elif tag == "input" and given.get("type") == "hidden" and self._action:
            self.forms[self._action][given.get("name", "")] = given.get("value", "")


async def _answer_by_script(folder: Path) -> None:
    """Sign in, read the inbox and answer: the requests a browser would send."""
    found = await _service(folder)
    made = await ask(found.console(), "POST", routes.SIGN_INS, {})
    origin = made["address"].removesuffix("/sign-in")
    host = origin.removeprefix("http://")
    headers = {"Host": host, "Origin": origin}
    async with http.new_client() as browser:
        signed = await browser.post(
            f"{found.address}/sign-in", data={"code": made["code"]}, headers={**headers, "Origin": "null"}
        )
        cookie = re.search(r"hitl_session=[^;]+", signed.headers.get("set-cookie", ""))
        if signed.status_code != 200 or cookie is None:
            raise HITLError(f"The scripted reviewer could not sign in (status {signed.status_code})")
        headers["Cookie"] = cookie[0]
        listed = _Form()
        listed.feed((await browser.get(f"{found.address}/", headers=headers)).text)
        page = next(link for link in listed.links if re.fullmatch(r"/requests/[0-9a-f]{24}", link))
        click.echo(f"3. The scripted reviewer opens {page} in the inbox and approves.")
        shown = _Form()
        shown.feed((await browser.get(f"{found.address}{page}", headers=headers)).text)
        fields = shown.forms[f"{page}/decision"] | {"answer": "approve", "comment": COMMENT}
        sent = await browser.post(f"{found.address}{page}/decision", data=fields, headers=headers)
        if sent.status_code != 303:
            raise HITLError(f"The scripted reviewer's answer was refused (status {sent.status_code})")
