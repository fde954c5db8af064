"""The command line, as a person at a terminal meets it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from tests.conftest import services_of
from tests.tools.test_asking import told
from tests.world import WAIT, environment, running_service, stdio_client

ROOT = Path(__file__).parent.parent


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """One command with nobody at the keyboard."""
    return subprocess.run(
        [sys.executable, "-m", "hitl_mcp", *arguments], env=environment(folder, **more), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=WAIT * 4, check=False,
    )  # fmt: skip


def type_into(folder: Path, keys: list[tuple[str, str]], *arguments: str) -> tuple[int, str]:
    """Run a command on a pseudo-terminal; type each answer when its prompt is there."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "hitl_mcp", *arguments], env=environment(folder, TERM="dumb"), stdin=slave, stdout=slave,
        stderr=slave, close_fds=True,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    pending = list(keys)
    deadline = time.monotonic() + WAIT * 2
    seen_to = 0
    while time.monotonic() < deadline:
        try:
            shown += os.read(master, 4096)
        except OSError:  # the other side is closed
            break
        if pending and pending[0][0].encode() in shown[seen_to:]:
            seen_to = len(shown)
            os.write(master, pending.pop(0)[1].encode() + b"\n")
    code = process.wait(WAIT)
    os.close(master)
    assert not pending, f"never asked {pending[0][0]!r}: {shown.decode()}"
    return code, shown.decode()


def asked(folder: Path, action: str = "Deploy to production", **more: object) -> str:
    """A request of an agent that has gone away; its id."""

    async def ask() -> str:
        async with stdio_client(folder) as client:
            arguments = {"action": action, "wait_seconds": 0, **more}
            return told(await client.call_tool("request_human_approval", arguments))["request_id"]

    return anyio.run(ask)


def status_of(folder: Path, request_id: str) -> dict[str, object]:
    """Where a request stands, as a new agent sees it."""

    async def check() -> dict[str, object]:
        async with stdio_client(folder) as client:
            return told(await client.call_tool("check_request", {"request_id": request_id}))

    return anyio.run(check)


def recording_browser(folder: Path, then: str = "") -> tuple[Path, Path]:
    """A BROWSER command that notes what it is asked to open; the note and the command."""
    record, script = folder / "opened", folder / "browser"
    script.write_text(f'#!/bin/sh\n{then}\necho "$@" >> {record}\n')
    script.chmod(0o755)
    return record, script


def opened_by(record: Path) -> str:
    """What the browser was asked to open, once it was."""
    deadline = time.monotonic() + WAIT
    while not record.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return record.read_text().strip()


def test_a_request_is_listed_shown_whole_and_answered_at_the_terminal(folder: Path) -> None:
    request_id = asked(folder, "Delete \x1b[31mthe\u202e logs", details="rm -rf /var/log/app")
    listed = run(folder, "pending")
    assert listed.returncode == 0 and request_id in listed.stdout
    keys = [("Number", "1"), ("Comment", "go on"), ("[y/N]", "y")]
    code, shown = type_into(folder, keys, "respond", request_id)
    assert code == 0, shown
    assert "[U+001B]" in shown and "[U+202E]" in shown and "\x1b[31m" not in shown, (
        "no trick of the text reaches a terminal"
    )
    assert "rm -rf /var/log/app" in shown
    decided = status_of(folder, request_id)
    assert decided["outcome"] == "approved" and decided["channel"] == "terminal"
    assert decided["reviewer_comment"] == "go on"


def test_saying_no_to_the_confirmation_sends_nothing(folder: Path) -> None:
    request_id = asked(folder)
    keys = [("Number:", "approve"), ("Number:", "1"), ("Comment", ""), ("[y/N]", "n")]
    code, shown = type_into(folder, keys, "respond", request_id)
    assert code == 1 and "'approve' is not a number from 1 to 3" in shown
    assert status_of(folder, request_id)["outcome"] == "pending"


@pytest.mark.parametrize("arguments", [("respond",), ("inbox", "--print")])
def test_answering_and_signing_in_need_a_person_at_a_terminal(folder: Path, arguments: tuple[str, ...]) -> None:
    request_id = asked(folder)
    command = [*arguments, *([request_id] if "respond" in arguments else [])]
    refused = run(folder, *command)
    assert refused.returncode == 2 and "a person at a terminal is needed" in refused.stderr
    inside = run(folder, *command, CLAUDECODE="1")
    assert inside.returncode == 2 and "CLAUDECODE" in inside.stderr and "agents must not" in inside.stderr
    assert status_of(folder, request_id)["outcome"] == "pending"


def test_printing_the_way_in_gives_an_address_and_a_code(folder: Path) -> None:
    code, shown = type_into(folder, [("[y/N]", "y")], "inbox", "--print")
    assert code == 0 and ".localhost:" in shown and "/sign-in" in shown and "Code" in shown


def test_inbox_opens_the_browser_with_a_page_and_no_token_in_an_argument(folder: Path, tmp_path: Path) -> None:
    record, script = recording_browser(tmp_path, 'cp "${1#file://}" "$(dirname "$0")/page.html"')
    opened = run(folder, "inbox", BROWSER=f"{script} %s")
    assert opened.returncode == 0, opened.stderr
    argument = opened_by(record)
    assert argument.startswith("file://") and argument.endswith(".html")
    page = (tmp_path / "page.html").read_text()
    assert 'method="post"' in page and 'name="code"' in page
    token = page.split('name="code" value="')[1].split('"')[0]
    assert token not in argument and token not in (folder / "service.log").read_text()
    mode = Path(argument.removeprefix("file://")).stat().st_mode & 0o777
    assert mode == 0o600


def test_a_new_question_opens_the_browser_unless_that_is_turned_off(folder: Path, tmp_path: Path) -> None:
    record, script = recording_browser(tmp_path)

    async def ask() -> None:
        async with stdio_client(folder, BROWSER=f"{script} %s", HITL_OPEN_BROWSER="true") as client:
            await client.call_tool("request_human_approval", {"action": "Deploy", "wait_seconds": 0})
            with anyio.fail_after(WAIT):
                while not record.exists():
                    await anyio.sleep(0.02)

    anyio.run(ask)
    assert record.read_text().count("file://") == 1


def test_inbox_uses_this_terminals_browser_where_the_service_has_none(folder: Path, tmp_path: Path) -> None:
    started = run(folder, "start")
    assert started.returncode == 0 and "runs" in started.stdout
    assert run(folder, "inbox").returncode == 2, "no desktop here, and none where the service was started"
    record, script = recording_browser(tmp_path)
    opened = run(folder, "inbox", BROWSER=f"{script} %s")
    assert opened.returncode == 0, opened.stderr
    assert opened_by(record).count("file://") == 1


def test_status_and_stop_say_what_is_so(folder: Path) -> None:
    nothing = run(folder, "status")
    assert nothing.returncode == 1 and "No local service is running" in nothing.stdout
    assert not folder.exists()
    asked(folder)
    there = run(folder, "status")
    assert there.returncode == 0 and "Open requests: 1" in there.stdout
    assert "has ended" in run(folder, "stop").stdout
    assert run(folder, "status").returncode == 1


def test_without_arguments_at_a_terminal_it_says_what_it_is(folder: Path) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "hitl_mcp"], env=environment(folder), stdin=slave, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(slave)
    assert process.stderr is not None
    first = process.stderr.readline()
    process.terminate()
    process.communicate(timeout=WAIT)
    os.close(master)
    assert "stdio server" in first
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "value"), [("HITL_API_KEY", "hitl_live_x"), ("HITL_BASE_URL", "https://hitl.example")]
)
def test_another_backend_is_never_replaced_by_the_local_service(folder: Path, name: str, value: str) -> None:
    for command in ("status", "pending", "inbox", "stop"):
        refused = run(folder, command, **{name: value})
        assert refused.returncode == 2 and name in refused.stderr and "unset" in refused.stderr
        assert "hitl_live_x" not in refused.stderr
    assert not folder.exists()


def test_a_setting_that_is_off_is_named(folder: Path) -> None:
    refused = run(folder, "status", HITL_PORT="many")
    assert refused.returncode == 2 and "HITL_PORT" in refused.stderr


def test_the_demo_runs_unattended_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    done = run(folder, "demo", "--auto", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "outcome: approved" in done.stdout and "channel: inbox" in done.stdout
    assert not list(tmp_path.glob("hitl-mcp-demo-*"))
    assert not folder.exists(), "the demo has a folder of its own"


def test_claude_desktop_gets_a_block_that_starts_the_server(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "claude" / "claude_desktop_config.json"
    shown = run(folder, "config", "claude-desktop", "--file", str(target))
    block = json.loads(shown.stdout)["mcpServers"]["hitl"]
    assert block == {"command": sys.executable, "args": ["-P", "-m", "hitl_mcp"]}
    assert not target.exists()
    target.parent.mkdir()
    target.write_text('{"theme": "dark", "mcpServers": {"other": {"command": "x"}}}')
    written = run(folder, "config", "claude-desktop", "--file", str(target), "--write", "--yes")
    assert written.returncode == 0 and '+    "hitl"' in written.stdout
    config = json.loads(target.read_text())
    assert config["theme"] == "dark" and config["mcpServers"]["other"] == {"command": "x"}
    assert config["mcpServers"]["hitl"] == block
    backups = list(target.parent.glob("*.bak"))
    assert len(backups) == 1 and "hitl" not in backups[0].read_text()
    again = run(folder, "config", "claude-desktop", "--file", str(target), "--write", "--yes")
    assert "already right" in again.stdout and len(list(target.parent.glob("*.bak"))) == 1


def test_a_broken_configuration_of_a_client_is_left_as_it_is(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "c.json"
    target.write_text("{ not json")
    refused = run(folder, "config", "claude-desktop", "--file", str(target), "--write", "--yes")
    assert refused.returncode == 2 and "not valid JSON" in refused.stderr
    assert target.read_text() == "{ not json"


def test_the_example_configuration_works_exactly_as_it_says(folder: Path) -> None:
    config = json.loads((ROOT / "claude_desktop_config.example.json").read_text())
    block = config["mcpServers"]["hitl"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    async def start() -> list[str]:
        from mcp import Client, StdioServerParameters

        env = environment(folder, **block.get("env", {})) | {"PATH": path}
        async with Client(StdioServerParameters(command=block["command"], args=block["args"], env=env)) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    assert "request_human_approval" in anyio.run(start)


def test_the_services_folder_is_private(folder: Path) -> None:
    asked(folder)

    async def look() -> None:
        await running_service(folder)

    anyio.run(look)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_demo_that_is_ended_early_leaves_nothing(folder: Path, tmp_path: Path, how: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "hitl_mcp", "demo"], env=environment(folder, TMPDIR=str(tmp_path)),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "Your turn" in line:
            break
    left = list(tmp_path.glob("hitl-mcp-demo-*"))
    assert len(left) == 1
    process.send_signal(how)
    said, _ = process.communicate(timeout=WAIT)
    assert "its data is removed" in said
    assert not left[0].exists()
    deadline = time.monotonic() + WAIT
    while services_of(left[0]) and time.monotonic() < deadline:
        time.sleep(0.02)  # it has let go of everything and is on its way out
    assert not services_of(left[0])
