"""The load generator of `creates`, a process of its own: `python -m benchmarks.load`, with the job as JSON on stdin.

Each connection sends the same bytes again as soon as the answer is in. On uvloop and httptools it manages well over
ten thousand calls a second, several times what it measures.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import anyio
import psutil

from benchmarks import parts
from benchmarks.wire import Connection


@dataclass(frozen=True, slots=True)
class Job:
    """What to send, where, for how long, and which process serves it."""

    port: int
    raw: str
    connections: int
    seconds: float
    pid: int


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it. Times in milliseconds; `cpu` is what the served process used for one, in microseconds."""

    per_second: float
    cpu: float
    p50: float
    p95: float
    failed: int


def loaded(job: Job) -> Load:
    """Run a job in a process of its own."""
    with parts.process(["-m", "benchmarks.load"], cwd=parts.ROOT) as child:
        parts.write(child, json.dumps(asdict(job)).encode() + b"\n")
        return Load(**json.loads(parts.read_line(child)))


async def _run(job: Job) -> Load:
    connections = [await Connection.opened(job.port) for _ in range(job.connections)]
    raw = job.raw.encode("latin-1")
    taken: list[float] = []
    failed = 0

    async def worker(connection: Connection, until: float) -> None:
        nonlocal failed
        while (started := time.perf_counter()) < until:
            reply = await connection.call(raw)
            if reply.status != 201:
                failed += 1
            taken.append(1000 * (time.perf_counter() - started))

    async def all_for(seconds: float) -> float:
        taken.clear()
        started = time.perf_counter()
        await asyncio.gather(*(worker(connection, started + seconds) for connection in connections))
        return time.perf_counter() - started

    await all_for(0.3)  # warm-up
    before = _cpu(job.pid)
    took = await all_for(job.seconds)
    cpu = 1_000_000 * (_cpu(job.pid) - before) / len(taken)
    for connection in connections:
        connection.close()
    return Load(len(taken) / took, cpu, parts.median(taken), parts.percentile(taken, 0.95), failed)


def _cpu(pid: int) -> float:
    used = psutil.Process(pid).cpu_times()
    return used.user + used.system


def main() -> None:
    """Read the job, run it, print what came of it."""
    given: dict[str, Any] = json.loads(sys.stdin.readline())
    result = anyio.run(_run, Job(**given), backend_options={"use_uvloop": sys.platform != "win32"})
    print(json.dumps(asdict(result)), flush=True)


if __name__ == "__main__":
    main()
