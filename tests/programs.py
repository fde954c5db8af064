"""Web applications in their real servers, in processes of their own."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.world import WAIT

ROOT = Path(__file__).parent.parent


def listening() -> socket.socket:
    """A socket that takes connections before the server has started; its address is `address_of`."""
    return socket.create_server(("127.0.0.1", 0))


def address_of(taken: socket.socket) -> str:
    """The address of a listening socket."""
    return f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def gunicorn(
    application: str, environment: dict[str, str], *more: str, at: socket.socket | None = None
) -> Generator[str]:
    """gunicorn with two workers; its address. It must end without a traceback.

    Args:
        application: module and name, as gunicorn takes it.
        more: further arguments, such as `--preload`.
        at: where it listens, when that must be known before.
    """
    with at or listening() as taken:
        handle = taken.fileno()
        program = [sys.executable, "-m", "gunicorn", "--workers", "2", "-b", f"fd://{handle}", *more, application]
        with _ending_well(program, environment, handle):
            yield address_of(taken)


@contextmanager
def uvicorn(application: str, environment: dict[str, str], *, at: socket.socket | None = None) -> Generator[str]:
    """uvicorn with one process; its address. It must end without a traceback."""
    with at or listening() as taken:
        handle = taken.fileno()
        program = [sys.executable, "-m", "uvicorn", "--log-level", "warning", "--fd", str(handle), application]
        with _ending_well(program, environment, handle):
            yield address_of(taken)


@contextmanager
def _ending_well(program: list[str], environment: dict[str, str], handle: int) -> Generator[None]:
    with subprocess.Popen(program, cwd=ROOT, env=environment, pass_fds=[handle], stderr=subprocess.PIPE) as server:
        try:
            yield
        finally:
            server.terminate()
            try:
                _, log = server.communicate(timeout=WAIT)
            except subprocess.TimeoutExpired:
                server.kill()
                raise
    assert b"Traceback" not in log, log.decode()
