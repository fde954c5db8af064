"""The inbox's list with 1,000 open requests beside 100: what the server needs for the page.

The page is read over one keep-alive connection, whole and without a browser; the clock runs from the call to the last
byte. Both are measured over the same service, first with 100 requests, then with 1,000.

Target: at most 2x.
"""

from __future__ import annotations

import time

import anyio

from benchmarks import parts
from benchmarks.inbox import Signed, question, signed_in
from benchmarks.service import our_service
from benchmarks.wire import Connection

PATHS = {"the list": "/", "a search": "/?q=amber+fjord", "the last page": "/?page=999", "the history": "/history"}


async def _time(connection: Connection, person: Signed, path: str, samples: int) -> list[float]:
    reply = await connection.call(person.get(path))
    if reply.status == 303:
        path = reply.headers["location"]
    taken: list[float] = []
    for _ in range(samples):
        started = time.perf_counter()
        reply = await connection.call(person.get(path))
        taken.append(1000 * (time.perf_counter() - started))
        if reply.status != 200:
            raise RuntimeError(f"{reply.status}: {reply.body[:500]!r}")
    return taken


async def _run(samples: int) -> None:
    async with our_service() as service:
        loop_id, person = await service.loop_id(), await signed_in(service)
        agent, reader = await Connection.opened(service.port), await Connection.opened(service.port)
        measured: list[dict[str, list[float]]] = []
        asked = 0
        for upto in (100, 1_000):
            for number in range(asked, upto):
                (await agent.call(question(service, loop_id, number))).data()
            asked = upto
            measured.append({name: await _time(reader, person, path, samples) for name, path in PATHS.items()})
    few, many = measured
    rows = [
        [name, f"{parts.median(few[name]):.1f} ms", f"{parts.median(many[name]):.1f} ms",
         f"{parts.percentile(many[name], 0.95):.1f} ms", f"{parts.median(many[name]) / parts.median(few[name]):.2f}x",
         "<= 2x" if name == "the list" else ""]
        for name in PATHS
    ]  # fmt: skip
    parts.table(["server time of", "100 open: median", "1,000 open: median", "p95", "ratio", "target"], rows)


def run(*, quick: bool) -> None:
    """Measure and print."""
    parts.heading("inbox_list: the list with 1,000 open requests")
    anyio.run(_run, 40 if quick else 200)


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
