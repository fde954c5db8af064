"""Whatever is wrong with the machine, people and agents read the same plain words, and nothing is damaged (H17, H20).

Each state is met twice: by `hitl-mcp pending` in a terminal, and by a tool call over stdio.
"""

from __future__ import annotations

import hashlib
import signal
import socket
import sqlite3
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import anyio
import psutil
import pytest
from mcp.types import CallToolResult

from hitl_mcp.contract.local import SECRET_FILE
from hitl_mcp.service.store.tables import SCHEMA_HEAD
from tests.conftest import services_of
from tests.local.machine import (
    ask_approval,
    database,
    is_alive,
    open_texts,
    start_by_hand,
    start_service,
    terminal,
    text_of,
    used,
)
from tests.world import WAIT, environment, eventually, running_service, stdio_client

pytestmark = pytest.mark.anyio


async def said_in_terminal(folder: Path, *words: str, **more: str) -> str:
    """The refusal of `hitl-mcp pending`: words for a person, and none of Python's own."""
    said = await terminal(folder, "pending", **more)
    assert said.code != 0
    assert said.out == ""
    assert "Traceback" not in said.err
    assert "Errno" not in said.err
    for word in words:
        assert word in said.error, said.error
    return said.error


async def said_everywhere(folder: Path, *words: str, **more: str) -> str:
    """The same refusal, seen in the terminal and as a tool's error over stdio."""
    in_terminal: list[str] = []
    over_stdio: list[CallToolResult] = []

    async def meet_in_terminal() -> None:
        in_terminal.append(await said_in_terminal(folder, *words, **more))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(meet_in_terminal)
        async with stdio_client(folder, **more) as client:
            with anyio.fail_after(2 * WAIT):
                arguments = {"action": "Anything", "wait_seconds": 0}
                over_stdio.append(await client.call_tool("request_human_approval", arguments))
    assert over_stdio[0].is_error
    assert [text_of(over_stdio[0])] == in_terminal
    return in_terminal[0]


def fingerprint(folder: Path) -> dict[str, str]:
    """The content of the files that matter."""
    kept = ("hitl.db", SECRET_FILE, "port")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in kept if (folder / name).exists()}


async def test_a_database_replaced_by_garbage_is_named_and_left_alone(folder: Path) -> None:
    await used(folder)
    (folder / "hitl.db").write_bytes(b"no database at all " * 500)
    before = fingerprint(folder)
    await said_everywhere(folder, str(folder / "hitl.db"), "damaged", "Restore a copy", str(folder / "backups"))
    assert fingerprint(folder) == before


@pytest.mark.parametrize("kept", [0.2, 0.9])
async def test_a_truncated_database_is_named_and_left_alone(folder: Path, kept: float) -> None:
    await used(folder)
    path = folder / "hitl.db"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    before = fingerprint(folder)
    await said_everywhere(folder, str(path), "damaged", "Restore a copy")
    assert fingerprint(folder) == before


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(folder: Path) -> None:
    request_id = await used(folder)
    with database(folder) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = fingerprint(folder)
    await said_everywhere(folder, "schema 9999", "newer version", "Update hitl-mcp", "Nothing was changed")
    assert fingerprint(folder) == before

    with database(folder) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (SCHEMA_HEAD,))
    await start_service(folder)
    assert await open_texts(folder) == {"Keep me": request_id}


async def test_a_damaged_secret_is_named(folder: Path) -> None:
    await used(folder)
    (folder / SECRET_FILE).write_text("not hexadecimal", encoding="ascii")
    before = fingerprint(folder)
    await said_everywhere(folder, str(folder / SECRET_FILE), "damaged")
    assert fingerprint(folder) == before


async def test_a_data_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("my notes", encoding="utf-8")
    await said_everywhere(path, str(path), "HITL_DATA_DIR")
    await said_everywhere(path / "below", str(path / "below"), "HITL_DATA_DIR")
    assert path.read_text(encoding="utf-8") == "my notes"


async def test_a_port_that_is_taken_is_named_with_its_setting(folder: Path) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        await said_everywhere(folder, f"Port {port}", "HITL_PORT", "taken", HITL_PORT=port)
    async with stdio_client(folder, HITL_PORT=port) as client:
        assert f":{port}/" in (await ask_approval(client, "Now it is free"))["inbox"]


async def only(folder: Path, pid: int) -> None:
    """Wait until the process is alone; one that refused may still be on its way out."""

    async def look() -> bool:
        return [process.pid for process in services_of(folder)] == [pid]

    await eventually(look)


async def test_a_second_service_on_the_folder_refuses_with_words_and_the_first_goes_on(folder: Path) -> None:
    request_id = await used(folder)
    first = await start_service(folder)

    said = await start_by_hand(folder)
    assert f"process {first.state.pid}" in said["error"]
    assert str(folder) in said["error"]
    assert "hitl-mcp stop" in said["error"]

    assert await open_texts(folder) == {"Keep me": request_id}
    await only(folder, first.state.pid)
    assert (await running_service(folder)).state == first.state


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
async def test_a_service_that_hangs_is_named_with_its_process(folder: Path) -> None:
    request_id = await used(folder)
    found = await start_service(folder)
    service = psutil.Process(found.state.pid)
    service.send_signal(signal.SIGSTOP)
    try:
        await said_in_terminal(folder, f"process {service.pid}", "already uses")
    finally:
        service.send_signal(signal.SIGCONT)
    assert await open_texts(folder) == {"Keep me": request_id}
    assert is_alive(service.pid)


@pytest.mark.parametrize("more", [{}, {"HITL_BACKEND": "cloud"}, {"HITL_BACKEND": "server"}])
async def test_a_backend_without_its_key_is_refused_and_nothing_is_sent_or_started(
    folder: Path, more: dict[str, str]
) -> None:
    with closing(socket.socket()) as backend:
        backend.bind(("127.0.0.1", 0))
        backend.listen()
        backend.setblocking(False)
        given = more | {"HITL_BASE_URL": f"http://127.0.0.1:{backend.getsockname()[1]}"}
        await said_everywhere(folder, "HITL_API_KEY is not set", "Nothing was sent", **given)
        with pytest.raises(BlockingIOError):
            backend.accept()
    assert not folder.exists()
    assert services_of(folder) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("HITL_PORT", "abc"), ("HITL_OPEN_BROWSER", "maybe"), ("HITL_SERVICE", "elsewhere")],
)
async def test_an_impossible_setting_is_named(folder: Path, name: str, value: str) -> None:
    given = environment(folder) | {name: value}
    error = await said_everywhere(folder, name, "Change the environment variable", **given)
    assert error.startswith(f"{name}: ")
    assert not folder.exists()


@pytest.fixture
def locked_database(folder: Path) -> Generator[None]:
    """Another program has the database in exclusive use."""
    folder.mkdir(mode=0o700)
    with closing(sqlite3.connect(folder / "hitl.db", isolation_level=None)) as other:
        other.execute("CREATE TABLE notes (text)")
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


async def test_a_database_that_another_program_holds_is_named(folder: Path, locked_database: None) -> None:
    await said_in_terminal(folder, str(folder / "hitl.db"), "locked")


async def test_every_terminal_command_meets_a_bad_setting_with_the_same_words(folder: Path) -> None:
    async def meet(command: str) -> None:
        said = await terminal(folder, command, HITL_PORT="abc")
        assert (said.code, said.out) == (2, "")
        assert said.error.startswith("HITL_PORT: ")

    async with anyio.create_task_group() as tasks:
        for command in ("inbox", "status", "stop"):
            tasks.start_soon(meet, command)
