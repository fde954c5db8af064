"""100 requests waiting on the HITL.sh cloud from 10 processes with one key, for 24 simulated hours.

The cloud is simulated, and so is time: nothing is measured of this machine. Others spend 20 calls an hour with the same
key. Each answered request makes room for a new one, so 100 wait all the time; an hour brings about 50 decisions.

Staleness is the time from a person's answer until the waiting process is told. Target: at most 60 looks in any hour,
whatever waits (D8, H31). What a look at each request every 10 or 30 s would need stands beside it.
"""

from __future__ import annotations

import random
from pathlib import Path

import anyio
import trio
import trio.testing

from benchmarks import parts
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.sdk.cloud.backend import Cloud
from hitl_mcp.sdk.cloud.reading import read_request
from hitl_mcp.sdk.cloud.schedule import MOST
from tests.cloud.simulated.views import request_view
from tests.cloud.stage import HOUR, Stage, decided, now, stage, worst_hour

PROCESSES = 10
WAITING = 100
DECISIONS = 50
FOREIGN = 20
LIMIT = 100


async def _waits(scene: Stage, backend: Cloud, chance: random.Random, late: list[float]) -> None:
    """One place in a process: a request, its decision, the next request."""
    mean = HOUR * WAITING / DECISIONS
    await anyio.sleep(chance.uniform(0, 60))
    while True:
        request = _asked(scene)
        scene.cloud.answer(request.id, "Approve", at=now() + min(chance.expovariate(1 / mean), 20 * HOUR))
        told = await decided(backend, request, 30 * HOUR)
        if told.response_at is None:
            raise RuntimeError("a decision was lost")
        late.append(now() - told.response_at.timestamp())


def _asked(scene: Stage) -> ReviewRequest:
    name = scene.cloud.ask(scene.loop, key=scene.key, processing_type="deferred", timeout_seconds=30 * 86_400)
    return read_request(request_view(scene.cloud.requests[name], scene.cloud.manners))


async def _others(scene: Stage) -> None:
    while True:
        await anyio.sleep(HOUR / FOREIGN)
        scene.cloud.spend(scene.key, 1)


async def _day(folder: Path, hours: float, late: list[float], looks: list[float]) -> None:
    scene = stage(folder, limit=LIMIT)
    chance = random.Random(1)
    with anyio.move_on_after(hours * HOUR):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_others, scene)
            tasks.start_soon(anyio.sleep_forever)
            for _ in range(PROCESSES):
                backend = await tasks.start(_process, scene)
                for _ in range(WAITING // PROCESSES):
                    tasks.start_soon(_waits, scene, backend, chance, late)
    looks += scene.looks()


async def _process(scene: Stage, *, task_status: anyio.abc.TaskStatus[Cloud]) -> None:
    async with scene.backend() as backend:
        task_status.started(backend)
        await anyio.sleep_forever()


def run(*, quick: bool) -> None:
    """Measure and print."""
    hours = 3 if quick else 24
    parts.heading(f"Waiting on the cloud: {WAITING} requests, {PROCESSES} processes, one key, {hours} simulated hours")
    late: list[float] = []
    looks: list[float] = []
    with parts.temporary_folder() as folder:
        trio.run(_day, folder, hours, late, looks, clock=trio.testing.MockClock(autojump_threshold=0))
    worst = worst_hour(looks)
    rows = [
        ["ours, shared", f"{len(looks) / hours:.0f}", str(worst), f"{parts.percentile(late, 0.5):.0f} s",
         f"{parts.percentile(late, 0.95):.0f} s", f"{max(late):.0f} s"],
        *(
            [f"each request every {every} s", f"{WAITING * HOUR / every:.0f}", f"{WAITING * HOUR / every:.0f}",
             f"refused after {LIMIT * every / WAITING:.0f} s", "", ""]
            for every in (10, 30)
        ),
    ]  # fmt: skip
    parts.table(["", "calls an hour", "worst hour", "p50 late", "p95 late", "worst late"], rows)
    print(f"{len(late)} decisions; allowed are {LIMIT} calls an hour, of which others spend {FOREIGN}")
    if worst > MOST:
        raise SystemExit(f"{worst} looks in one hour: more than {MOST}")


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
