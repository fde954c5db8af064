"""Process start -> first answer, of our stdio server and of a bare MCPServer with one tool.

Measured with raw JSON-RPC over pipes, so that no client's own start is in it: the clock runs from just before the
process is started until the first line of its answer is read. Both eras are measured: `initialize` (handshake) and
`server/discover` (2026-07-28). Runs alternate, in an order that changes each round. Ours gets a data folder that does
not exist; starting must not create it.

Target: median ours / median bare <= 1.15x.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import parts

TARGET = 1.15
_CLIENT = {"name": "benchmark", "version": "1"}
_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": _CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}
FIRST: dict[str, dict[str, Any]] = {
    "initialize": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": _CLIENT},
    "server/discover": {"_meta": _META},
}


def _start(command: Sequence[str | Path], method: str, cwd: Path, env: dict[str, str]) -> float:
    """Seconds from the start of the process to its answer."""
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": FIRST[method]}).encode() + b"\n"
    started = time.perf_counter()
    with parts.process(command, cwd=cwd, env=env) as child:
        parts.write(child, message)
        answer = json.loads(parts.read_line(child))
        took = time.perf_counter() - started
    if "result" not in answer:
        raise RuntimeError(f"{command}: {answer}")
    return took


def run(*, quick: bool) -> None:
    """Measure and print."""
    parts.heading("cold_start: process start -> first answer")
    rounds = 5 if quick else 11
    rows: list[list[str]] = []
    with parts.temporary_folder() as here:
        data = here / "data"
        env = parts.our_environment(data)
        commands: dict[str, Sequence[str | Path]] = {"ours": ["-m", "hitl_mcp"], "floor": [parts.FLOORS / "hello.py"]}
        for method in FIRST:
            taken: dict[str, list[float]] = {name: [] for name in commands}
            for turn in range(-1, rounds):  # the first warms the file cache and the byte code
                for name in sorted(commands, reverse=turn % 2 == 0):
                    seconds = _start(commands[name], method, here, env)
                    if turn >= 0:
                        taken[name].append(1000 * seconds)
            ours, floor = parts.median(taken["ours"]), parts.median(taken["floor"])
            spread = f"[{min(taken['ours']):.0f}..{max(taken['ours']):.0f}]"
            rows.append([method, f"{ours:.0f}", spread, f"{floor:.0f}", f"{ours / floor:.2f}x", f"<= {TARGET}x"])
        touched = data.exists()
    parts.table(["first message", "ours ms", "[min..max]", "floor ms", "ratio", "target"], rows)
    print(f"data folder touched by starting: {'YES' if touched else 'no'} (target: no)")


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
