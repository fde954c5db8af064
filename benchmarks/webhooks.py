"""`python -m benchmarks.webhooks [--quick]`: deliveries to many receivers, some of them sick, and after kill -9.

Receivers run in a process of their own. The floor is a bare loop of the same HTTP client over the same bodies, with as
many calls at a time as the courier makes.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import httpx2

from benchmarks import parts
from hitl_mcp.contract.webhooks import NewWebhook
from hitl_mcp.service import people
from hitl_mcp.service.clock import wall_clock
from hitl_mcp.service.outbox import queue
from hitl_mcp.service.outbox.courier import PER_TARGET, WORKERS, Courier
from hitl_mcp.service.outgoing.guard import Outgoing
from hitl_mcp.service.storage import open_storage
from hitl_mcp.service.store import Tx
from hitl_mcp.service.webhooks import endpoints
from hitl_mcp.service.webhooks.endpoints import Owner
from hitl_mcp.service.webhooks.fan_out import KIND
from hitl_mcp.service.webhooks.sender import WebhookSender
from hitl_mcp.settings import Settings

RECEIVERS, HANG, FAIL = 20, 5, 5
LINES = 25
"""Requests for each receiver; their events stay in order."""
BATCH = 500
PATIENCE = 240.0
SCHEDULE = (0, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2)
"""Shorter than the documented one, so that who fails at random is seen to the end."""


class _Impatient(WebhookSender):
    """As the service sends, on a schedule that fits into a benchmark."""

    @property
    def schedule(self) -> tuple[float, ...]:
        return SCHEDULE


class Receivers:
    """The receivers' process: one server for each, which writes down what came."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self.ports: list[int] = json.loads(parts.read_line(child))

    def say(self, command: str) -> Any:
        """Ask it something."""
        parts.write(self._child, command.encode() + b"\n")
        return json.loads(parts.read_line(self._child))


async def _receive() -> None:
    """What the receivers' process does. A call's path says how it is treated."""
    came: list[tuple[int, str, str, float]] = []

    async def serve(place: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode()
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                if path == "/hangs":
                    await asyncio.sleep(3600)
                if path == "/fails" and random.random() < 0.3:
                    writer.write(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
                    continue
                came.append((place, body.get("event_id", ""), body.get("line", ""), time.time()))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError):
            pass

    servers = [
        await asyncio.start_server(lambda r, w, place=place: serve(place, r, w), "127.0.0.1", 0, backlog=1000)
        for place in range(RECEIVERS)
    ]
    sys.stdout.write(json.dumps([server.sockets[0].getsockname()[1] for server in servers]) + "\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    while command := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        said: Any = len(came) if command == "count" else came
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        if command == "take":
            came = []


async def _fill(folder: Path, urls: list[str], events: int) -> None:
    """Endpoints, and events for them, as if they had just happened."""
    async with AsyncExitStack() as stack:
        on = await open_storage(stack, Settings(data_dir=folder))
        account = await on.store.write(people.local_account)
        owner = Owner(account.user_id)

        def register(tx: Tx) -> list[str]:
            return [endpoints.create(tx, owner, NewWebhook(url=url)).id for url in urls]

        hooks = await on.store.write(register)
        each = events // len(hooks)
        for start in range(0, each, BATCH // len(hooks)):

            def put(tx: Tx, start: int = start) -> None:
                for number in range(start, min(each, start + BATCH // len(hooks))):
                    for hook in hooks:
                        line = f"{number % LINES}"
                        body = {
                            "event": "request.created",
                            "event_id": f"{hook}.{number}",
                            "line": line,
                            "text": "x" * 800,
                        }
                        row = queue.put(
                            tx, kind=KIND, target=hook, event_id=f"{hook}.{number}", event="request.created",
                            body=json.dumps(body),
                        )  # fmt: skip
                        tx.connection.exec_driver_sql(
                            "UPDATE deliveries SET line = ? WHERE id = ?", (f"{hook}/{line}", row)
                        )

            await on.store.write(put)


async def _deliver(folder: Path, stopping: anyio.Event) -> None:
    """The courier, as the service runs it."""
    async with AsyncExitStack() as stack:
        on = await open_storage(stack, Settings(data_dir=folder))
        outgoing = Outgoing(["127.0.0.1"])
        stack.push_async_callback(outgoing.aclose)
        sender = _Impatient(on.store, outgoing)
        await Courier(on.store, wall_clock, {KIND: sender}, alone=True).run(stopping)


async def _until(receivers: Receivers, count: int) -> None:
    with anyio.fail_after(PATIENCE):
        while receivers.say("count") < count:
            await anyio.sleep(0.1)


def _in_order(came: list[Any]) -> bool:
    """Whether each line's events came in their order, repetitions aside."""
    last: dict[tuple[int, str], int] = {}
    for place, event_id, line, _ in came:
        number = int(event_id.split(".")[1])
        if number < last.get((place, line), -1):
            return False
        last[place, line] = number
    return True


async def _run(folder: Path, receivers: Receivers, events: int, *, sick: bool) -> tuple[list[Any], float]:
    """Deliver everything that can be delivered; what came, and when it began."""
    kinds = ["hangs"] * (HANG * sick) + ["fails"] * (FAIL * sick)
    kinds += ["well"] * (RECEIVERS - len(kinds))
    urls = [f"http://127.0.0.1:{port}/{kind}" for port, kind in zip(receivers.ports, kinds, strict=True)]
    await _fill(folder, urls, events)
    started, stopping = time.time(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_deliver, folder, stopping)
        await _until(receivers, events * (RECEIVERS - HANG * sick) // RECEIVERS)
        stopping.set()
    return receivers.say("take"), started


def _p95(came: list[Any], started: float) -> float:
    """Of the receivers that are well in both runs, from the start of the delivery."""
    return parts.percentile([at - started for place, _, _, at in came if place >= HANG + FAIL], 0.95)


async def _bare(receivers: Receivers, events: int) -> float:
    """Deliveries a second of a loop that does nothing else."""
    body = json.dumps({"event": "request.created", "event_id": "bare.1", "line": "", "text": "x" * 800})
    left = iter(range(events))
    started = time.perf_counter()
    limits = httpx2.Limits(max_connections=WORKERS, max_keepalive_connections=WORKERS)
    async with httpx2.AsyncClient(limits=limits, trust_env=False) as client, anyio.create_task_group() as tasks:

        async def work() -> None:
            for number in left:
                await client.post(f"http://127.0.0.1:{receivers.ports[number % RECEIVERS]}/well", content=body)

        for _ in range(min(WORKERS, RECEIVERS * PER_TARGET)):
            tasks.start_soon(work)
    rate = events / (time.perf_counter() - started)
    receivers.say("take")
    return rate


async def _killed(folder: Path, receivers: Receivers, events: int, kills: int) -> tuple[int, int, int]:
    """Deliver in a process that is killed again and again; how often, and how many events never and twice came."""
    urls = [f"http://127.0.0.1:{port}/well" for port in receivers.ports]
    await _fill(folder, urls, events)
    done = 0
    while True:
        child = subprocess.Popen(  # noqa: ASYNC220  # it starts in a moment
            [sys.executable, "-m", "benchmarks.webhooks", "--deliver", str(folder)], cwd=parts.ROOT,
            env=parts.environment(),
        )  # fmt: skip
        try:
            if done < kills:
                before = receivers.say("count")
                with anyio.fail_after(PATIENCE):
                    while receivers.say("count") == before:
                        await anyio.sleep(0.01)
                await anyio.sleep(random.uniform(0, 0.5))
                done += 1
            else:
                await _all_of(receivers, events)
                break
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
    came = [event_id for _, event_id, _, _ in receivers.say("take")]
    return events - len(set(came)), len(came) - len(set(came)), done


async def _all_of(receivers: Receivers, events: int) -> None:
    with anyio.fail_after(PATIENCE):
        while len({event_id for _, event_id, _, _ in receivers.say("look")}) < events:
            await anyio.sleep(0.3)


async def _measure(events: int, kills: int) -> None:
    with parts.process(["-m", "benchmarks.webhooks", "--receive"], cwd=parts.ROOT) as child:
        receivers = Receivers(child)
        bare = await _bare(receivers, events)
        with parts.temporary_folder() as folder:
            well, started = await _run(folder / "well", receivers, events, sick=False)
            rate = len(well) / (max(at for *_, at in well) - started)
            p95_well = _p95(well, started)
        print(f"deliveries: {rate:.0f}/s; bare loop {bare:.0f}/s; ratio {rate / bare:.2f} (at least 0.5)")
        print(f"  in order: {_in_order(well)}; lost: {events - len({one[1] for one in well})}")
        with parts.temporary_folder() as folder:
            sick, started = await _run(folder / "sick", receivers, events, sick=True)
            p95 = _p95(sick, started)
        lost = events * (RECEIVERS - HANG) // RECEIVERS - len({one[1] for one in sick})
        print(f"{HANG} hang, {FAIL} fail at random: lost {lost}; in order: {_in_order(sick)}")
        print(
            f"  p95 of the healthy: {p95:.2f} s, {p95_well:.2f} s without the sick; "
            f"ratio {p95 / p95_well:.2f} (at most 2)"
        )
        with parts.temporary_folder() as folder:
            never, twice, done = await _killed(folder / "killed", receivers, events, kills)
        print(f"kill -9, {done} times: never came {never}, came twice {twice}, under the same id")


def run(*, quick: bool) -> None:
    """Measure and print."""
    events = 2_000 if quick else 10_000
    parts.heading(f"webhooks: {events} events to {RECEIVERS} receivers")
    anyio.run(_measure, events, 4 if quick else 15, backend_options={"use_uvloop": sys.platform != "win32"})


if __name__ == "__main__":
    if "--receive" in sys.argv:
        asyncio.run(_receive())
    elif "--deliver" in sys.argv:
        anyio.run(_deliver, Path(sys.argv[-1]), None or anyio.Event())
    else:
        run(quick=parts.is_quick(__doc__))
