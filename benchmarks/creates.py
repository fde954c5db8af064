"""Durable creates a second over HTTP, at 1, 4, 16 and 64 connections; then ten client processes at once.

Ours: POST of an approval with an agent's key and a challenge for the proof. Floor: FastAPI with one pydantic body and
one SQLite commit (WAL, `synchronous=FULL`) in the event loop. The same load generator, in its own process, sends the
same body to both, in turn; each run begins with an empty database. Then ours again with 10,000 requests already open.
The service's CPU time a create stands beside, because it says the same on a busy machine.

The ten processes use the real client over the real backend; none of them finds a service running, so one starts it.

Targets: ours / floor >= 0.5x at each concurrency and rising with it; no failure among the ten.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import anyio
import anyio.to_thread

from benchmarks import parts
from benchmarks.load import Job, Load, loaded
from benchmarks.service import end_service, our_service
from benchmarks.wire import call_bytes
from hitl_mcp.contract import routes

CONNECTIONS = (1, 4, 16, 64)
CROWD = 10_000
CLIENTS = 10
QUESTIONS = 30
BODY = {
    "kind": "approval",
    "processing_type": "time-sensitive",
    "timeout_seconds": 86_400,
    "request_text": "Deploy build 4711 to production\n\n**Why:** the fix for the failing checkout has passed all tests",
}


async def _ours(connections: int, seconds: float, crowd: int = 0) -> Load:
    async with our_service() as service:
        path = routes.LOOP_REQUESTS.format(loop_id=await service.loop_id())
        raw = call_bytes("POST", path, service.port, BODY, service.agent_headers()).decode("latin-1")
        while crowd and await service.open_requests() < crowd:
            await anyio.to_thread.run_sync(loaded, Job(service.port, raw, 16, 1, service.pid))
        return await anyio.to_thread.run_sync(loaded, Job(service.port, raw, connections, seconds, service.pid))


async def _floor(connections: int, seconds: float) -> Load:
    with (
        parts.temporary_folder() as here,
        parts.process([parts.FLOORS / "creating.py", here / "floor.db"], cwd=here) as service,
    ):
        port = int(parts.read_line(service))
        raw = call_bytes("POST", routes.LOOP_REQUESTS.format(loop_id="0" * 24), port, BODY).decode("latin-1")
        return await anyio.to_thread.run_sync(loaded, Job(port, raw, connections, seconds, service.pid))


async def _rates(rounds: int, seconds: float) -> None:
    rows: list[list[str]] = []
    for connections in CONNECTIONS:
        ours: list[Load] = []
        floor: list[Load] = []
        for _ in range(rounds):
            floor.append(await _floor(connections, seconds))
            ours.append(await _ours(connections, seconds))
        rows.append(_row(str(connections), ours, floor))
    floor = [await _floor(16, seconds)]
    rows.append(_row(f"16, {CROWD} open", [await _ours(16, seconds, CROWD)], floor))
    figures = ["p50", "p95 ms", "us CPU"]
    parts.table(["connections", "ours /s", *figures, "floor /s", *figures, "ratio", "target", "refused"], rows)


def _row(name: str, ours: list[Load], floor: list[Load]) -> list[str]:
    def middle(loads: list[Load], field: str) -> float:
        return parts.median([getattr(load, field) for load in loads])

    cells = [name]
    for loads in (ours, floor):
        cells += [f"{middle(loads, 'per_second'):.0f}", f"{middle(loads, 'p50'):.1f}", f"{middle(loads, 'p95'):.1f}"]
        cells.append(f"{middle(loads, 'cpu'):.0f}")
    ratio = middle(ours, "per_second") / middle(floor, "per_second")
    return [*cells, f"{ratio:.2f}x", ">= 0.5x", str(sum(load.failed for load in [*ours, *floor]))]


async def _many_clients() -> None:
    parts.heading(f"creates: {CLIENTS} client processes at once, {QUESTIONS} questions each")
    with parts.temporary_folder() as here, ExitStack() as stack:
        data = here / "data"
        env = parts.our_environment(data)
        env["PYTHONPATH"] = ":".join(filter(None, (env.get("PYTHONPATH"), str(parts.ROOT))))
        clients = [
            stack.enter_context(
                parts.process(["-m", "benchmarks.creator", str(number), str(QUESTIONS)], cwd=parts.ROOT, env=env)
            )
            for number in range(CLIENTS)
        ]
        for client in clients:
            parts.read_line(client)
        try:
            for client in clients:
                parts.write(client, b"go\n")
            results: list[dict[str, Any]] = [json.loads(parts.read_line(client)) for client in clients]
        finally:
            await end_service(data)
    taken = [1000 * seconds for result in results for seconds in result["taken"]]
    first = [1000 * result["first"] for result in results]
    failures = [words for result in results for words in result["failures"]]
    print(f"create: p50 {parts.median(taken):.1f} ms, p95 {parts.percentile(taken, 0.95):.1f} ms")
    print(f"first call, which starts the service: p50 {parts.median(first):.0f} ms, slowest {max(first):.0f} ms")
    print(f"failures: {len(failures)} of {len(taken)} (target: 0)", *failures[:3], sep="\n  ")


def run(*, quick: bool) -> None:
    """Measure and print."""
    parts.heading("creates: durable creates a second over HTTP")
    rounds, seconds = (1, 1.0) if quick else (5, 1.2)
    anyio.run(_rates, rounds, seconds)
    anyio.run(_many_clients)


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
