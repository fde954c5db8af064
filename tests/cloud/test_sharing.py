"""Several processes with one key share one poller, whatever becomes of any of them (H32)."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.cloud.simulated import Cloud, Fault, served
from tests.cloud.stage import worst_hour

WAIT = 60.0
"""More than a turn's lease."""
REPOSITORY = Path(__file__).parents[2]

Child = subprocess.Popen[str]


@contextmanager
def waiter(url: str, key: str, folder: Path, *names: str) -> Generator[Child]:
    """A process that waits for requests; killed at the end."""
    command = [sys.executable, "-m", "tests.cloud.waiter", url, key, str(folder), *names]
    with (
        (folder / f"log-{time.monotonic_ns()}").open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=REPOSITORY) as child,
    ):
        try:
            yield child
        finally:
            child.kill()


def line(child: Child) -> str:
    """What it says next; it ends by itself when it takes too long."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def until(happened: Callable[[], bool]) -> None:
    """Wait, for so long at most."""
    end = time.monotonic() + WAIT
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def looks(cloud: Cloud) -> int:
    """How often anybody asked about requests."""
    return sum(1 for call in cloud.calls if "/requests" in call.path and call.method == "GET")


@pytest.fixture
def cloud() -> Cloud:
    return Cloud(time.time)


@pytest.mark.parametrize(
    "how", [pytest.param(signal.SIGKILL, marks=pytest.mark.nightly), signal.SIGSTOP], ids=["killed", "stopped"]
)
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_when_the_poller_goes_another_goes_on(tmp_path: Path, cloud: Cloud, how: signal.Signals) -> None:
    key, loop = cloud.new_key(), cloud.new_loop()
    first, second = cloud.ask(loop, key=key), cloud.ask(loop, key=key)
    with served(cloud) as url, waiter(url, key, tmp_path, first) as poller:
        assert line(poller) == "waiting"
        cloud.misbehave(Fault("slow", wait=10, times=None))
        before = looks(cloud)
        until(lambda: looks(cloud) > before)  # it has the turn, and waits for the answer
        poller.send_signal(how)
        cloud.behave()
        with waiter(url, key, tmp_path, second) as other:
            assert line(other) == "waiting"
            cloud.answer(second, "Approve")
            assert line(other) == f"{second} answered"
        if how is signal.SIGSTOP:
            poller.send_signal(signal.SIGCONT)
            cloud.answer(first, "Approve")
            assert line(poller) == f"{first} answered"


@pytest.mark.nightly
def test_ten_processes_look_as_often_as_one(tmp_path: Path, cloud: Cloud) -> None:
    key, loop = cloud.new_key(), cloud.new_loop()
    names = [cloud.ask(loop, key=key) for _ in range(10)]
    with served(cloud) as url, ExitStack() as stack:
        children = [stack.enter_context(waiter(url, key, tmp_path, name)) for name in names]
        assert all(line(child) == "waiting" for child in children)
        started, begin = looks(cloud), time.time()
        for name in names:
            cloud.answer(name, "Approve")
        assert [line(child) for child in children] == [f"{name} answered" for name in names]
        seconds = time.time() - begin
    assert looks(cloud) - started <= 2 + seconds / 5
    assert worst_hour([call.time for call in cloud.calls]) <= 60
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"approve" in everything.lower()  # so that the search below looks at the right place
    assert key.encode() not in everything
    assert key.removeprefix("hitl_live_").encode() not in everything
    assert not any(key in str(path) for path in tmp_path.rglob("*"))


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")
def test_folder_and_file_are_for_their_owner_only(tmp_path: Path, cloud: Cloud) -> None:
    key, loop = cloud.new_key(), cloud.new_loop()
    name = cloud.ask(loop, key=key)
    cloud.answer(name, "Approve")
    before = os.umask(0)
    try:
        with served(cloud) as url, waiter(url, key, tmp_path, name) as child:
            assert line(child) == "waiting"
    finally:
        os.umask(before)
    (folder,) = (tmp_path / "cloud").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())


@pytest.mark.nightly
def test_a_process_that_was_stopped_inside_a_transaction_holds_nobody_up(tmp_path: Path, cloud: Cloud) -> None:
    key, loop = cloud.new_key(), cloud.new_loop()
    first, second = cloud.ask(loop, key=key), cloud.ask(loop, key=key)
    with served(cloud) as url, waiter(url, key, tmp_path, first) as child:
        assert line(child) == "waiting"
        spent = looks(cloud)
        (path,) = (tmp_path / "cloud").rglob("*.sqlite3")
        with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as stopped:
            stopped.execute("BEGIN IMMEDIATE")
            cloud.answer(first, "Approve")
            assert line(child) == f"{first} answered"
            with waiter(url, key, tmp_path, second) as other:
                assert line(other) == "waiting"
        (newer,) = [one for one in (tmp_path / "cloud").rglob("*.sqlite3") if one.name > path.name]
        with closing(sqlite3.connect(newer)) as share:
            (kept,) = share.execute("SELECT count(*) FROM ledger WHERE kind = 'look'").fetchone()
    assert kept == looks(cloud)
    assert spent < kept
