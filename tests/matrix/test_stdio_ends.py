"""A stdio server that a client drops at any moment ends quickly and leaves nothing: no process, no file, no complaint.

What happens to what was asked meanwhile is tested with the local service.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import psutil
import pytest
from anyio.streams.text import TextReceiveStream

from tests.conftest import services_of
from tests.local.machine import RawServer, until_the_end
from tests.matrix.meeting import SERVER
from tests.world import WAIT, environment, eventually, world

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and pipes")]


@asynccontextmanager
async def copy(folder: Path, home: Path) -> AsyncGenerator[RawServer]:
    """A stdio server with an empty home, whose stderr is kept; killed at the end if it still runs."""
    home.mkdir()
    env = environment(folder, HOME=str(home), TMPDIR=str(home))
    process = await anyio.open_process([sys.executable, *SERVER], env=env, cwd=home, stderr=subprocess.PIPE)
    async with until_the_end(process) as server:
        yield server


async def complaint(server: RawServer) -> str:
    """What it wrote to stderr, until its end."""
    assert server.process.stderr is not None
    with anyio.fail_after(WAIT):
        return "".join([part async for part in TextReceiveStream(server.process.stderr)])


async def end(server: RawServer, how: str) -> None:
    """Drop it: by a signal, by the end of its stdin, or as a client that was killed, whose pipes are all closed."""
    if how.startswith("SIG"):
        server.process.send_signal(signal.Signals[how])
        return
    if how == "vanished":
        assert server.process.stdout is not None
        await server.process.stdout.aclose()
    await server.hang_up()


@pytest.mark.parametrize("moment", ["at once", "after a look"])
async def test_dropped_copies_leave_nothing(folder: Path, tmp_path: Path, moment: str) -> None:
    async def drop(how: str) -> None:
        home = tmp_path / how
        async with copy(folder, home) as server:
            if moment == "after a look":
                await server.initialize()
                await server.answer(await server.send("tools/list", {}))
            await end(server, how)
            code = await server.ended()
            said = await complaint(server)
        if how != "SIGKILL" and (moment != "at once" or not how.startswith("SIG")):
            assert (how, code, said) == (how, 0, "")  # before its first words it has not learnt yet to heed signals
        assert (how, list(home.rglob("*"))) == (how, [])

    before = _descendants()
    async with anyio.create_task_group() as tasks:
        for how in ("EOF", "SIGTERM", "SIGINT", "SIGKILL", "vanished"):
            tasks.start_soon(drop, how)
    assert not folder.exists() and services_of(folder) == []
    assert _descendants() <= before


async def test_a_client_that_vanishes_during_a_call_ends_the_server(folder: Path, tmp_path: Path) -> None:
    async with world(folder) as here, copy(folder, tmp_path / "home") as server:
        await server.initialize()
        await server.call("request_human_approval", {"action": "Wait for it", "wait_seconds": 60})

        async def asked() -> bool:
            return bool(await here.reviewer.open_requests())

        await eventually(asked)
        await end(server, "vanished")
        assert await server.ended() == 0
        assert await complaint(server) == ""
        assert await asked(), "the end of a client withdraws nothing"


async def test_nothing_is_written_to_a_client_that_has_hung_up(folder: Path, tmp_path: Path) -> None:
    async with world(folder) as here, copy(folder, tmp_path / "home") as server:
        await server.initialize()
        await server.call("request_human_approval", {"action": "Wait for it", "wait_seconds": 60})
        await eventually(here.reviewer.open_requests)
        await server.hang_up()
        assert await server.rest() == b""


def _descendants() -> set[int]:
    return {child.pid for child in psutil.Process(os.getpid()).children(recursive=True)}
