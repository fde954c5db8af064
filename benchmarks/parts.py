"""What the benchmarks share: places, child processes with a bounded end, statistics, and printing."""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLOORS = Path(__file__).parent / "floors"
END_SECONDS = 5.0

_KEPT = ("PATH", "HOME", "USER", "LANG", "PYTHONPATH", "VIRTUAL_ENV")


def environment(**extra: str) -> dict[str, str]:
    """What a child process gets: no setting of the caller's own HITL_ variables leaks into a measurement."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | extra


def our_environment(folder: Path) -> dict[str, str]:
    """For processes of the product over a data folder of their own, silent on the desktop."""
    return environment(HITL_DATA_DIR=str(folder), HITL_OPEN_BROWSER="false", HITL_NOTIFY="false")


@contextmanager
def temporary_folder() -> Generator[Path]:
    """A folder on the machine's ordinary disk (durable commits must reach it), removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="hitl-bench-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def process(
    command: Sequence[str | Path], *, cwd: Path, env: dict[str, str] | None = None, stderr: int | None = None
) -> Generator[subprocess.Popen[bytes]]:
    """A child with pipes on stdin and stdout. It ends when its stdin closes, or is made to."""
    with subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=cwd,
        env=environment() if env is None else env,
        bufsize=0,
    ) as child:
        try:
            yield child
        finally:
            if child.stdin is not None:
                child.stdin.close()
            try:
                child.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()


def most_open_files() -> int:
    """Let this process and its children open as many files as the system allows; returns how many."""
    if sys.platform == "win32":
        return 2_000
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = 65_536
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def read_line(child: subprocess.Popen[bytes]) -> bytes:
    """The child's next line on stdout. Raises: RuntimeError when it ended instead."""
    if child.stdout is None:
        raise RuntimeError("no pipe")
    line = b""
    while not line.endswith(b"\n"):
        some = child.stdout.read(65536)
        if not some:
            raise RuntimeError(f"process {child.pid} ended without an answer (exit code {child.poll()})")
        line += some
    return line


def write(child: subprocess.Popen[bytes], data: bytes) -> None:
    """Send to the child's stdin."""
    if child.stdin is None:
        raise RuntimeError("no pipe")
    child.stdin.write(data)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile, e.g. 0.95."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """The middle."""
    return statistics.median(values)


def heading(text: str) -> None:
    """Begin a section."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under titles, in columns."""
    widths = [max(len(row[column]) for row in [titles, *rows]) for column in range(len(titles))]
    for row in [titles, *rows]:
        cells = (
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip(), flush=True)


def _end(_number: int, _frame: object) -> None:
    sys.exit(1)


def is_quick(description: str | None) -> bool:
    """Read the command line of a benchmark, and let it clean up after itself when it is told to end."""
    signal.signal(signal.SIGTERM, _end)
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer samples")
    return bool(parser.parse_args().quick)
