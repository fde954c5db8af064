"""A decision in one process -> the tool result of a call that waits in another, on one PostgreSQL.

200 MCP calls wait in process B over streamable HTTP. One more is made there and approved by a person at process A; the
clock runs from just before that POST is written until the result has arrived at the agent's client. The floor does the
same with the bare driver: one UPDATE with a NOTIFY at A, LISTEN and the MCP SDK's own server at B. Samples alternate.

Targets: p50 <= 10 ms, p95 <= 50 ms.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import anyio

from benchmarks import parts, shared
from benchmarks.holder import Job
from benchmarks.http_waiting import Clients, clients, open_calls
from benchmarks.team import Served, Team, served
from benchmarks.wire import Connection, call_bytes
from hitl_mcp.contract import routes

WAITING = 200
WARM_UP = 5
SETTLE_SECONDS = 0.05


async def _one(held: Clients, name: Callable[[], Awaitable[bytes]], person: Connection) -> float:
    """Milliseconds from sending the decision of one more call until its result is there."""
    await held.hold(1)
    raw = await name()
    await anyio.sleep(SETTLE_SECONDS)
    started = time.monotonic()
    answer = await person.call(raw)
    with anyio.fail_after(30):
        while not (got := await held.results())["arrived"]:
            if got["failed"] or answer.status >= 400:
                raise RuntimeError(f"{answer} {got['failed']}")
            await anyio.sleep(0.02)
    await anyio.sleep(SETTLE_SECONDS)
    return 1000 * (got["arrived"][0][0] - started)


async def _run(samples: int) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(shared.database(migrated=True))
        team = await stack.enter_async_context(served(processes=2, database_url=url))
        bare = await stack.enter_async_context(shared.floor_processes(2))
        ours = stack.enter_context(clients(Job(team.processes[1].port, team.agent), WAITING))
        floor = stack.enter_context(clients(Job(bare[1].port, {}, tool="ask", arguments={}), WAITING))
        await open_calls(team, ours, WAITING)
        await floor.hold(WAITING)
        at_a, at_b = await Connection.opened(team.processes[0].port), await Connection.opened(team.processes[1].port)
        bare_a, bare_b = await Connection.opened(bare[0].port), await Connection.opened(bare[1].port)
        await _bare_waiting(bare_b, bare[1], WAITING)
        taken: dict[str, list[float]] = {"ours": [], "floor": []}
        known: set[str] = {await _newest(team, at_b)}
        for turn in range(-WARM_UP, samples):
            number = WAITING + WARM_UP + turn + 1  # of the call, as the client counts them
            mine = await _one(ours, lambda: _decision(team, at_b, known), at_a)
            theirs = await _one(floor, lambda n=number: _bare_decision(bare, bare_b, n), bare_a)
            if turn >= 0:
                taken["ours"].append(mine)
                taken["floor"].append(theirs)
    rows: list[list[str]] = []
    for name, values in taken.items():
        p50, p95 = parts.median(values), parts.percentile(values, 0.95)
        rows.append(
            [name, f"{p50:.1f}", f"{p95:.1f}", f"{max(values):.1f}", f"{p50 / parts.median(taken['floor']):.2f}x"]
        )
    parts.table([f"{WAITING} waiting", "p50 ms", "p95 ms", "max ms", "ratio p50"], rows)
    print("targets: p50 <= 10 ms, p95 <= 50 ms")


async def _newest(team: Team, connection: Connection) -> str:
    raw = call_bytes("GET", f"{routes.REQUESTS}?limit=1", team.processes[1].port, headers=team.agent)
    return str((await connection.call(raw)).data()["requests"][0]["id"])


async def _decision(team: Team, connection: Connection, known: set[str]) -> bytes:
    with anyio.fail_after(30):
        while (name := await _newest(team, connection)) in known:
            await anyio.sleep(0.01)
    known.add(name)
    return team.decision(name, team.processes[0].port)


async def _bare_waiting(connection: Connection, at: Served, count: int) -> None:
    with anyio.fail_after(30):
        while (await connection.call(call_bytes("GET", "/open", at.port))).data()["open"] < count:
            await anyio.sleep(0.01)


async def _bare_decision(bare: list[Served], connection: Connection, number: int) -> bytes:
    await _bare_waiting(connection, bare[1], WAITING + 1)
    return call_bytes("POST", f"/decide/deploy-{number:05d}", bare[0].port, {})  # a request's name is its action


def run(*, quick: bool) -> None:
    """Measure and print."""
    parts.heading("processes: decision in one process -> tool result in another, on PostgreSQL")
    if not shared.missing():
        anyio.run(_run, 15 if quick else 60)


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
