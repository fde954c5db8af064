"""Blocked MCP calls over streamable HTTP on one `hitl-mcp serve` process: memory, CPU, and how they are released.

1,000 calls of one key are held, each on a connection of its own from lean clients in other processes: of the modern
generation, with progress asked for, and of the legacy one (one session for all, and a session for each). Memory is what
the server holds resident with them minus what it held before, with everything warm. CPU is what it used of one core
while nothing happened. Then a person approves all of them over 16 connections; the time until the last result has
arrived at its client is taken from the first decision sent and from the last one's answer (its commit).

Beside it the floor: the MCP SDK's own server over the same transport whose tool waits for an event and nothing else.

At last 10,000 calls are held at once, released, and counted. That takes an open file each; where the system allows
fewer, it says so.

Targets: <= 70 KiB a call, <= 2 % of a core with progress every 8 s, all results within 400 ms of the decisions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import anyio
import anyio.to_thread

from benchmarks import parts
from benchmarks.holder import Job, begin
from benchmarks.team import Served, Team, served
from benchmarks.wire import Connection, call_bytes
from hitl_mcp.contract import routes

CALLS = 1_000
MANY = 10_000
EACH = 5_000
"""Calls a client process holds at most."""
BURST = 500
REVIEWERS = 16
PAGE = 100
OPEN_SECONDS = 240.0


class Clients:
    """Client processes that share the calls of one job."""

    def __init__(self, children: list[Any]) -> None:
        self._children = children
        self._turn = 0

    def _tell(self, child: Any, order: list[Any]) -> Any:
        parts.write(child, json.dumps(order).encode() + b"\n")
        return json.loads(parts.read_line(child))

    async def hold(self, count: int) -> None:
        """Send more calls, in one of the processes."""
        child = self._children[self._turn % len(self._children)]
        self._turn += 1
        await anyio.to_thread.run_sync(self._tell, child, ["hold", count])

    async def results(self) -> dict[str, Any]:
        """What came back since the last time."""
        whole: dict[str, Any] = {"arrived": [], "failed": [], "progress": 0}
        for child in self._children:
            some = await anyio.to_thread.run_sync(self._tell, child, ["results"])
            whole = {name: whole[name] + some[name] for name in whole}
        return whole


@contextmanager
def clients(job: Job, calls: int) -> Generator[Clients]:
    """Processes for so many calls."""
    with ExitStack() as stack:
        children = [
            stack.enter_context(parts.process(["-m", "benchmarks.holder"], cwd=parts.ROOT))
            for _ in range(-(-calls // EACH))
        ]
        for child in children:
            parts.write(child, begin(job).encode())
            parts.read_line(child)
        yield Clients(children)


async def open_calls(team: Team, held: Clients, calls: int) -> float:
    """Send calls until so many wait; never more than two bursts under way. Seconds it took."""
    agent = await Connection.opened(team.processes[0].port)
    started = time.monotonic()
    before = now = await team.open_requests(agent)
    sent = 0
    with anyio.fail_after(OPEN_SECONDS):
        while now - before < calls:
            if sent < calls and sent - (now - before) <= BURST:
                await held.hold(min(BURST, calls - sent))
                sent += min(BURST, calls - sent)
            else:
                await anyio.sleep(0.2)
            now = await team.open_requests(agent)
    agent.close()
    return time.monotonic() - started


async def waiting_ids(team: Team) -> list[str]:
    """Every request that waits."""
    agent, found = await Connection.opened(team.processes[0].port), list[str]()
    while True:
        path = f"{routes.REQUESTS}?status=pending&limit={PAGE}&offset={len(found)}"
        raw = call_bytes("GET", path, team.processes[0].port, headers=team.agent)
        page = (await agent.call(raw)).data()["requests"]
        found += [str(one["id"]) for one in page]
        if len(page) < PAGE:
            agent.close()
            return found


@dataclass(frozen=True, slots=True)
class Released:
    """Milliseconds until the last result, from the first decision sent and from the last one answered."""

    since_first: float
    since_last: float
    deciding: float
    results: int
    failed: list[str]


async def release(team: Team, held: Clients, calls: int) -> Released:
    """Approve everything; wait until every result is there."""
    port = team.processes[0].port
    left = [team.decision(one, port) for one in await waiting_ids(team)]
    reviewers = [await Connection.opened(port) for _ in range(REVIEWERS)]
    refused: list[str] = []

    async def review(connection: Connection) -> None:
        while left:
            answer = await connection.call(left.pop())
            if answer.status >= 400:
                refused.append(f"{answer.status} {answer.body[:200]!r}")

    first = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for connection in reviewers:
            tasks.start_soon(review, connection)
    last = time.monotonic()
    got = await held.results()
    with anyio.move_on_after(60):
        while len(got["arrived"]) + len(got["failed"]) < calls:
            await anyio.sleep(0.2)
            more = await held.results()
            got = {name: got[name] + more[name] for name in got}
    for connection in reviewers:
        connection.close()
    end = max((when for when, _ in got["arrived"]), default=last)
    failed = [*refused, *got["failed"]]
    return Released(1000 * (end - first), 1000 * (end - last), 1000 * (last - first), len(got["arrived"]), failed)


async def idle_cpu(server: Served, seconds: float) -> float:
    """Percent of a core while nothing happens."""
    before, started = server.cpu(), time.monotonic()
    await anyio.sleep(seconds)
    return 100 * (server.cpu() - before) / (time.monotonic() - started)


async def _warm(team: Team, job: Job) -> None:
    with clients(job, 20) as some:
        await open_calls(team, some, 20)
        await release(team, some, 20)
    await team.processes[0].quiet()


async def _row(name: str, seconds: float, **kind: bool) -> list[str]:
    async with served() as team:
        server = team.processes[0]
        job = replace(Job(server.port, team.agent), **kind)
        await _warm(team, job)
        before = server.rss()
        with clients(job, CALLS) as held:
            took = await open_calls(team, held, CALLS)
            await server.quiet()
            if job.progress:
                await anyio.sleep(8)
            cpu = await idle_cpu(server, seconds)
            each = (server.rss() - before) / CALLS / 1024
            beats = (await held.results())["progress"]
            done = await release(team, held, CALLS)
    return [
        name, f"{each:.1f} KiB", "<= 70", f"{cpu:.1f} %", "<= 2 %", str(beats), f"{CALLS / took:.0f}",
        f"{done.deciding:.0f}", f"{done.since_first:.0f}", f"{done.since_last:.0f} ms", "<= 400",
        str(len(done.failed) + CALLS - done.results),
    ]  # fmt: skip


async def _floor_row(name: str, seconds: float, **kind: bool) -> list[str]:
    command = [parts.FLOORS / "waiting_http.py"]
    with parts.temporary_folder() as here, parts.process(command, cwd=here) as child:
        server = Served(child.pid, int(parts.read_line(child)))
        job = replace(Job(server.port, {}, tool="ask", arguments={}), **kind)
        with clients(job, 20) as some:
            await some.hold(20)
            await server.quiet()
        before = server.rss()
        with clients(job, CALLS) as held:
            control, count = await Connection.opened(server.port), call_bytes("GET", "/open", server.port)
            warm = (await control.call(count)).data()["open"]
            started = time.monotonic()
            await held.hold(CALLS)
            while (await control.call(count)).data()["open"] - warm < CALLS:
                await anyio.sleep(0.05)
            took = time.monotonic() - started
            await server.quiet()
            if job.progress:
                await anyio.sleep(8)
            cpu = await idle_cpu(server, seconds)
            each = (server.rss() - before) / CALLS / 1024
            beats = (await held.results())["progress"]
            first = time.monotonic()
            await control.call(call_bytes("POST", "/release", server.port, {}))
            arrived: list[Any] = []
            with anyio.move_on_after(30):
                while len(arrived) < CALLS:
                    arrived += (await held.results())["arrived"]
            end = max(when for when, _ in arrived)
    return [
        f"floor: {name}", f"{each:.1f} KiB", "", f"{cpu:.1f} %", "", str(beats), f"{CALLS / took:.0f}", "",
        f"{1000 * (end - first):.0f}", "", "", str(CALLS - len(arrived)),
    ]  # fmt: skip


async def _many() -> None:
    parts.heading(f"http_waiting: {MANY} calls held at once")
    allowed = parts.most_open_files()
    if allowed < MANY + 1_000:
        print(f"skipped: this system allows {allowed} open files a process, {MANY + 1_000} are needed (ulimit -Hn)")
        return
    async with served() as team:
        server = team.processes[0]
        job = Job(server.port, team.agent)
        await _warm(team, job)
        before = server.rss()
        with clients(job, MANY) as held:
            took = await open_calls(team, held, MANY)
            await server.quiet()
            cpu = await idle_cpu(server, 6)
            each = (server.rss() - before) / MANY / 1024
            done = await release(team, held, MANY)
    print(
        f"opened in {took:.0f} s; {each:.1f} KiB a call; {cpu:.1f} % of a core; "
        f"decided in {done.deciding / 1000:.1f} s, last result {done.since_last:.0f} ms after the last decision; "
        f"{done.results} results, {len(done.failed)} failures (target: 0)"
    )
    print(*done.failed[:3], sep="\n")


async def _run(seconds: float, *, quick: bool) -> None:
    kinds: dict[str, dict[str, bool]] = {"modern": {}, "modern, progress": {"progress": True}}
    if not quick:
        kinds |= {
            "legacy, one session": {"legacy": True},
            "legacy, a session each": {"legacy": True, "own_session": True},
        }
    rows: list[list[str]] = []
    for name, kind in kinds.items():
        while_idle = max(seconds, 16) if kind.get("progress") else seconds
        rows.append(await _row(name, while_idle, **kind))
        rows.append(await _floor_row(name, while_idle, **kind))
    parts.table(
        [f"{CALLS} calls", "RSS each", "target", "CPU", "target", "messages", "opened/s", "deciding ms",
         "last result: since first", "since last decision", "target", "failed"], rows,
    )  # fmt: skip
    if not quick:
        await _many()


def run(*, quick: bool) -> None:
    """Measure and print."""
    parts.heading(f"http_waiting: {CALLS} blocked MCP calls over HTTP")
    parts.most_open_files()
    anyio.run(lambda: _run(6.0 if quick else 16.0, quick=quick))


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
