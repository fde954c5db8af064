"""What asking costs an agent that does not wait: our tool over stdio beside a bare MCPServer's tool over stdio.

`request_human_approval` with `wait_seconds=0` goes from the client to our stdio server, from there over loopback to the
local service, into one durable commit, and back with a handle. The floor greets. Beside them one row is written durably
by SQLite (`synchronous=FULL`) in this process. Samples alternate, in an order that changes each round.

Target: p50 ours - p50 floor - p50 commit <= 0.3 ms.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import AsyncExitStack, closing
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters

from benchmarks import parts

TARGET_MS = 0.3
WARM_UP = 20


async def _run(samples: int) -> None:
    taken: dict[str, list[float]] = {"ours": [], "floor": [], "commit": []}
    with parts.temporary_folder() as here, closing(_database(here / "floor.db")) as rows:
        async with AsyncExitStack() as stack:
            ours = await stack.enter_async_context(_client(["-m", "hitl_mcp"], parts.our_environment(here / "data")))
            floor = await stack.enter_async_context(_client([str(parts.FLOORS / "hello.py")], parts.environment()))
            for turn in range(-WARM_UP, samples):
                for name in ("ours", "floor", "commit") if turn % 2 else ("commit", "floor", "ours"):
                    before = time.perf_counter()
                    if name == "ours":
                        arguments = {"action": f"Deploy {turn}", "wait_seconds": 0}
                        result = await ours.call_tool("request_human_approval", arguments)
                        if result.is_error:
                            raise RuntimeError(str(result.content))
                    elif name == "floor":
                        await floor.call_tool("hello", {"name": "Ada"})
                    else:
                        rows.execute("INSERT INTO t VALUES (?)", (f"Deploy {turn}",))
                        rows.commit()
                    if turn >= 0:
                        taken[name].append(1000 * (time.perf_counter() - before))
        stop = [sys.executable, "-m", "hitl_mcp", "stop"]
        await anyio.run_process(stop, env=parts.our_environment(here / "data"), check=False)
    middle = {name: parts.median(values) for name, values in taken.items()}
    over = middle["ours"] - middle["floor"] - middle["commit"]
    cells = [f"{middle[name]:.2f}" for name in ("ours", "floor", "commit")]
    titles = ["ours p50 ms", "floor p50 ms", "durable commit p50 ms", "overhead ms", "target"]
    parts.table(titles, [[*cells, f"{over:.2f}", f"<= {TARGET_MS}"]])


def _client(command: list[str], env: dict[str, str]) -> Client:
    return Client(StdioServerParameters(command=sys.executable, args=command, env=env))


def _database(path: Path) -> sqlite3.Connection:
    rows = sqlite3.connect(path)
    rows.execute("PRAGMA journal_mode = WAL")
    rows.execute("PRAGMA synchronous = FULL")
    rows.execute("CREATE TABLE t (x)")
    return rows


def run(*, quick: bool) -> None:
    """Measure and print."""
    parts.heading("tool_overhead: asking without waiting, over a bare tool and one durable commit")
    anyio.run(_run, 200 if quick else 1000)


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
