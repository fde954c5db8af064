"""Fixtures that every test may use."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import psutil
import pytest

from tests.nightly import mark_the_rest
from tests.world import WAIT, end_service

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a run that a shell has put into the background ignores it, and so would every program it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to the night what CI has no time for."""
    mark_the_rest(items)


@pytest.fixture
def anyio_backend() -> str:
    """AnyIO on asyncio, as in the product."""
    return "asyncio"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of this machine reaches a test."""
    for name in tuple(os.environ):
        if name.startswith("HITL_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def no_settings() -> Generator[None]:
    """No setting of this machine reaches a service that lives longer than one test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in tuple(os.environ):
            if name.startswith("HITL_"):
                patch.delenv(name)
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Generator[Path]:
    """A data folder of its own; its background service is ended afterwards, and none is left behind."""
    path = tmp_path / "data"
    yield path
    with ThreadPoolExecutor(1) as thread:  # in this one a loop may run: browser tests share one
        thread.submit(anyio.run, end_service, path).result(WAIT * 2)
    deadline = time.monotonic() + WAIT
    while (left := services_of(path)) and time.monotonic() < deadline:
        time.sleep(0.02)  # an ended process stays in the table until it is collected, but is no service any more
    for process in left:
        process.send_signal(signal.SIGKILL)
    assert not left, f"a service of {path} was left behind"


def services_of(folder: Path) -> list[psutil.Process]:
    """The background services of a folder that are alive."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.cmdline()[-2:] == ["hitl_mcp", "service"] and process.cwd() == str(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found
