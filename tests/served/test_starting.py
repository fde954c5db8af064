"""A server and an operator's command that start at the same moment: both get through, and the server stays."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from filelock import FileLock, Timeout

from hitl_mcp.contract.local import START_LOCK
from tests.served.machine import Machine
from tests.served.team import free_port
from tests.world import WAIT

pytestmark = pytest.mark.anyio

ADA = ("people", "add", "Ada Lovelace", "ada@example.com", "--owner")


@contextmanager
def new_machine(folder: Path) -> Generator[Machine]:
    """A machine whose server is ended afterwards, if one was started."""
    here = Machine(folder, free_port(), folder.parent / "serve.log")
    here.more["HITL_PUBLIC_URL"] = f"http://team.localhost:{here.port}"
    try:
        yield here
    finally:
        if here.process is not None and here.process.poll() is None:
            here.process.kill()
            here.process.wait(WAIT)


async def somebody_starts(folder: Path) -> None:
    """Wait until a process has begun to start a service of the folder."""
    folder.mkdir(exist_ok=True)
    with anyio.fail_after(WAIT * 4):
        while True:
            try:
                with FileLock(folder / START_LOCK, timeout=0):
                    pass
            except Timeout:
                return
            await anyio.sleep(0.001)


async def test_a_command_that_comes_while_the_server_starts_waits_for_it(folder: Path) -> None:
    with new_machine(folder) as on:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(on.start)
            await somebody_starts(folder)
            assert "Ada Lovelace (ada@example.com) can sign in" in await on.run(*ADA)
        assert (await on.run("status")).startswith("Team server: running")
        assert "owner of this server" in await on.run("people", "list")
        assert not (folder / "service.log").exists(), "no local service was started beside it"


async def test_a_server_that_comes_while_a_command_starts_a_service_takes_over_after_it(folder: Path) -> None:
    with new_machine(folder) as on:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(on.run, *ADA)  # fails unless its exit code is 0
            await somebody_starts(folder)
            await on.start()
        assert (await on.run("status")).startswith("Team server: running")
        assert "ada@example.com  owner of this server" in await on.run("people", "list")


async def test_a_server_killed_while_it_starts_holds_nobody_up(folder: Path) -> None:
    with new_machine(folder) as on:
        command = [sys.executable, "-m", "hitl_mcp", "serve", "--port", str(on.port)]
        with on.log.open("wb") as log:
            on.process = subprocess.Popen(command, env=on.environment, stdin=subprocess.DEVNULL, stderr=log)
        await somebody_starts(folder)
        await on.stop(signal.SIGKILL)
        assert "can sign in" in await on.run(*ADA)
        await on.start()
        assert (await on.run("status")).startswith("Team server: running")
