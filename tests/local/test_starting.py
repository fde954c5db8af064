"""One local service per data folder (D13, H8, H17, H34, H38): who starts it, what it inherits, when it ends."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Generator
from pathlib import Path

import anyio
import anyio.to_thread
import psutil
import pytest
from filelock import FileLock, Timeout

from hitl_mcp.clients.wanted import Wanted
from hitl_mcp.contract.local import SERVICE_LOCK
from tests.conftest import services_of
from tests.local.machine import (
    ask_approval,
    events_of,
    fields_of,
    gone,
    is_alive,
    open_texts,
    raw_server,
    set_deadline,
    start_service,
    stdio_in,
    stop_service,
    terminal,
    used,
    world_of,
)
from tests.world import end_service, environment, eventually, running_service, sign_in, stdio_client

pytestmark = pytest.mark.anyio

needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")


@pytest.fixture
def second_folder(tmp_path: Path) -> Generator[Path]:
    path = tmp_path / "second"
    yield path
    anyio.run(end_service, path)
    assert not services_of(path)


def descendants() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


async def test_starting_a_server_and_listing_its_tools_touches_nothing(folder: Path) -> None:
    before = descendants()
    async with stdio_client(folder) as client:
        tools = (await client.list_tools()).tools
        started = descendants() - before

    assert "request_human_approval" in {tool.name for tool in tools}
    assert len(started) == 1, "the stdio server and nothing beside it"
    assert not folder.exists()
    assert services_of(folder) == []


async def test_copies_that_only_probe_leave_nothing(folder: Path) -> None:
    async def probe(how_it_ends: str) -> None:
        async with raw_server(folder) as server:
            await server.initialize()
            await server.answer(await server.send("tools/list", {}))
            if how_it_ends == "eof":
                await server.hang_up()
            elif how_it_ends == "terminated":
                server.process.terminate()
            else:
                server.process.kill()
            await server.ended()

    before = descendants()
    async with anyio.create_task_group() as tasks:
        for way in ("eof", "terminated", "killed"):
            tasks.start_soon(probe, way)

    assert not folder.exists()
    assert services_of(folder) == []
    assert descendants() <= before


async def test_ten_clients_that_call_at_once_share_one_service_and_one_list(folder: Path) -> None:
    ready, go = [anyio.Event() for _ in range(10)], anyio.Event()
    addresses: set[str] = set()
    ids: set[str] = set()

    async def agent(number: int) -> None:
        async with stdio_client(folder) as client:
            ready[number].set()
            await go.wait()
            result = await ask_approval(client, f"Action {number}")
            ids.add(result["request_id"])
            addresses.add(fields_of(await client.call_tool("list_loops", {}))["inbox"])

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(agent, number)
        for event in ready:
            await event.wait()
        go.set()

    assert len(ids) == 10
    assert len(addresses) == 1
    assert [process.pid for process in services_of(folder)] == [(await running_service(folder)).state.pid]
    assert set((await open_texts(folder)).values()) == ids
    with pytest.raises(Timeout):
        FileLock(folder / SERVICE_LOCK, timeout=0).acquire()


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="reads /proc/locks")
async def test_the_service_alone_holds_the_folders_lock_and_opens_the_database(folder: Path) -> None:
    async with stdio_client(folder) as client:
        await ask_approval(client, "Look at the lock")
        pid = (await running_service(folder)).state.pid

        inode = (folder / SERVICE_LOCK).stat().st_ino
        locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        assert {int(parts[4]) for parts in locks if parts[5].endswith(f":{inode}")} == {pid}
        users: set[int] = set()
        for process in psutil.process_iter():
            try:
                if any(file.path == str(folder / "hitl.db") for file in process.open_files()):
                    users.add(process.pid)
            except psutil.Error:
                continue
        assert users == {pid}


async def test_closing_every_client_leaves_the_service_and_its_deadlines_working(folder: Path) -> None:
    for seconds in (2, 5, 12):  # a busy machine may need longer than the deadline to start the service
        request_id = await used(folder)
        set_deadline(folder, [request_id], seconds_from_now=seconds)
        async with stdio_client(folder) as client:
            await client.call_tool("list_requests", {})
        async with world_of(folder) as world:
            if await events_of(world, request_id) == ["created"]:
                break
        await stop_service(folder)
    else:
        pytest.fail("the service was never up before the deadline")
    service = await running_service(folder)

    async with world_of(folder) as world:

        async def closed() -> bool:
            return "timeout" in await events_of(world, request_id)

        await eventually(closed)
        assert await events_of(world, request_id) == ["created", "timeout"]
    assert [process.pid for process in services_of(folder)] == [service.state.pid]


async def test_status_and_stop_tell_by_their_exit_codes(folder: Path) -> None:
    none = await terminal(folder, "status")
    assert (none.code, none.err) == (1, "")
    assert "No local service is running" in none.out
    assert not folder.exists(), "looking starts nothing"

    await used(folder)
    pid = (await start_service(folder)).state.pid
    running = await terminal(folder, "status")
    assert running.code == 0
    assert f"process {pid}," in running.out
    assert "Open requests: 1;" in running.out
    assert str(folder) in running.out

    stopped = await terminal(folder, "stop")
    assert (stopped.code, stopped.err) == (0, "")
    assert "has ended" in stopped.out
    await gone(pid)
    again = await terminal(folder, "stop")
    assert again.code == 0
    assert "No local service is running" in again.out
    assert (await terminal(folder, "status")).code == 1
    assert services_of(folder) == []


async def test_a_stopped_service_is_started_again_by_the_next_call_with_everything_it_had(folder: Path) -> None:
    async with stdio_client(folder) as client:
        first = await ask_approval(client, "Before the stop")
        await stop_service(folder)
        second = await ask_approval(client, "After the stop")
    assert await open_texts(folder) == {
        "Before the stop": first["request_id"],
        "After the stop": second["request_id"],
    }
    assert first["inbox"].rpartition("/requests/")[0] == second["inbox"].rpartition("/requests/")[0], "the same port"


async def test_an_unused_service_ends_by_itself_and_one_with_an_open_request_stays(
    folder: Path, second_folder: Path
) -> None:
    async with stdio_client(folder, HITL_IDLE_SECONDS="1") as client:
        request_id = (await ask_approval(client, "Stay for me"))["request_id"]
    needed = (await running_service(folder)).state.pid
    async with stdio_client(second_folder, HITL_IDLE_SECONDS="1") as client:
        await client.call_tool("list_loops", {})
        unneeded = (await running_service(second_folder)).state.pid

    await gone(unneeded)  # it was started later and is gone, so the other one has outlived its idle time
    assert (await terminal(second_folder, "status")).code == 1
    assert is_alive(needed)

    reviewer = await sign_in(await running_service(folder))
    await reviewer.answer(request_id, "approve")
    await gone(needed)


@needs_proc
async def test_the_background_service_inherits_no_secret_folder_or_handle_of_the_client(folder: Path) -> None:
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "aws-secret-1",
        "ANTHROPIC_API_KEY": "anthropic-secret-2",
        "GITHUB_TOKEN": "github-secret-3",
        "DATABASE_URL": "postgres://me:secret-4@host/db",
        "HITL_LOOP": "Default",
    }
    async with stdio_client(folder, **secrets) as client:
        await client.call_tool("list_loops", {})
        pid = (await running_service(folder)).state.pid

        process = Path("/proc") / str(pid)
        given = process.joinpath("environ").read_bytes().decode()
        for name, value in secrets.items():
            assert name not in given
            assert name == "HITL_LOOP" or value not in given
        assert f"HITL_DATA_DIR={folder}" in given
        assert process.joinpath("cwd").resolve() == folder.resolve()
        assert [str((process / "fd" / handle).readlink()) for handle in "012"] == ["/dev/null"] * 3
        assert os.getsid(pid) != os.getsid(0), "a session of its own: closing the client's terminal does not end it"
        command = process.joinpath("cmdline").read_bytes().decode()
        assert (folder / "secret").read_text().strip() not in command + given


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
async def test_nobody_else_can_read_the_data_folder(folder: Path) -> None:
    await anyio.to_thread.run_sync(lambda: folder.mkdir(mode=0o755))
    async with stdio_client(folder) as client:
        await client.call_tool("list_loops", {})
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600


async def test_a_relative_data_folder_is_one_folder_for_client_and_service(folder: Path, tmp_path: Path) -> None:
    async with stdio_in(tmp_path, folder, HITL_DATA_DIR=folder.name) as client:
        result = await ask_approval(client, "Where am I?")
    assert list((await open_texts(folder)).values()) == [result["request_id"]]
    assert not (folder / folder.name).exists()


async def test_a_file_in_the_project_folder_is_never_run_as_one_of_our_modules(folder: Path, tmp_path: Path) -> None:
    """H8: a sandboxed agent writes to the project folder, where its host starts us; that must not become our code."""
    project = tmp_path / "project"
    project.mkdir()
    proof = tmp_path / "was-run"
    for name in ("anyio.py", "psutil.py", "hitl_mcp.py", "getpass.py"):
        (project / name).write_text(f"open({str(proof)!r}, 'w').close()\nraise SystemExit(7)\n", encoding="utf-8")
    block = Wanted().local()
    arguments = [*block["args"], "status"]
    with anyio.fail_after(30):
        said = await anyio.run_process(
            [block["command"], *arguments], env=environment(folder), cwd=project, check=False
        )
    assert not proof.exists()
    assert said.returncode == 1, said.stderr.decode()
    assert b"No local service is running" in said.stdout
