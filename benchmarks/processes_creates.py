"""Durable creates a second over HTTP with 1, 2 and 4 processes of the server on one PostgreSQL.

Each process gets its share of 32 connections, from a load generator of its own. The floor is FastAPI with a pool of the
bare driver (asyncpg), one pydantic body, and one transaction with as many rows as ours writes: the request and the
first entry of its log. Ours moreover judges the key, reads the loop's people, counts what waits, hashes the entry, and
tells the other processes. Both run in turn on databases that begin empty. Everything shares this machine's cores: the
database and the load generators take their part, and more processes than cores cannot be faster.

Target: ours / floor >= 0.5x.
"""

from __future__ import annotations

import anyio
import anyio.to_thread

from benchmarks import parts, shared
from benchmarks.creates import BODY
from benchmarks.load import Job, Load, loaded
from benchmarks.team import Served, served
from benchmarks.wire import call_bytes
from hitl_mcp.contract import routes

PROCESSES = (1, 2, 4)
CONNECTIONS = 32


async def _loaded(processes: list[Served], loop_id: str, headers: dict[str, str], seconds: float) -> list[Load]:
    path, loads = routes.LOOP_REQUESTS.format(loop_id=loop_id), list[Load]()

    async def one(at: Served) -> None:
        raw = call_bytes("POST", path, at.port, BODY, headers).decode("latin-1")
        job = Job(at.port, raw, CONNECTIONS // len(processes), seconds, at.pid)
        loads.append(await anyio.to_thread.run_sync(loaded, job))

    async with anyio.create_task_group() as tasks:
        for at in processes:
            tasks.start_soon(one, at)
    return loads


async def _ours(count: int, seconds: float) -> list[Load]:
    async with shared.database(migrated=True) as url, served(processes=count, database_url=url) as team:
        return await _loaded(team.processes, team.loop_id, team.agent, seconds)


async def _floor(count: int, seconds: float) -> list[Load]:
    async with shared.floor_processes(count) as bare:
        return await _loaded(bare, "0" * 24, {}, seconds)


async def _run(rounds: int, seconds: float) -> None:
    rows: list[list[str]] = []
    for count in PROCESSES:
        ours: list[list[Load]] = []
        floor: list[list[Load]] = []
        for _ in range(rounds):
            floor.append(await _floor(count, seconds))
            ours.append(await _ours(count, seconds))
        cells = [str(count)]
        for kind in (ours, floor):
            cells.append(f"{_rate(kind):.0f}")
            cells.append(f"{parts.median([load.p95 for loads in kind for load in loads]):.1f}")
            cells.append(f"{parts.median([load.cpu for loads in kind for load in loads]):.0f}")
        refused = sum(load.failed for loads in (*ours, *floor) for load in loads)
        rows.append([*cells, f"{_rate(ours) / _rate(floor):.2f}x", ">= 0.5x", str(refused)])
    figures = ["p95 ms", "us CPU"]
    parts.table(["processes", "ours /s", *figures, "floor /s", *figures, "ratio", "target", "refused"], rows)


def _rate(runs: list[list[Load]]) -> float:
    return parts.median([sum(load.per_second for load in loads) for loads in runs])


def run(*, quick: bool) -> None:
    """Measure and print."""
    parts.heading("processes_creates: durable creates a second on PostgreSQL")
    if not shared.missing():
        anyio.run(_run, 1 if quick else 3, 1.5 if quick else 3.0)


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
