"""A reviewer's decision -> the agent's tool result, while 1, 100 and 1,000 other calls wait.

Ours: a real MCP client starts `python -m hitl_mcp`; N calls of `request_human_approval` are blocked; one more is made
and approved by a signed-in reviewer over HTTP on a keep-alive connection. The clock runs from just before that POST is
written until the tool's result has arrived at the client. The floor does the same with a bare MCPServer, a bare
Starlette service on httptools and uvloop, one event stream for all waits, and one durable commit a decision. Samples
alternate between the two. 50 ms of rest lie before and after each decision.

Targets: p50 ours / p50 floor <= 2x, and p95 <= 50 ms.
"""

from __future__ import annotations

import anyio

from benchmarks import parts
from benchmarks.agents import Agent, floor_agent, our_agent

OTHERS = (1, 100, 1000)
WARM_UP = 5


async def _sample(ours: Agent, floor: Agent, samples: int) -> tuple[list[float], list[float]]:
    taken: dict[Agent, list[float]] = {ours: [], floor: []}
    for turn in range(-WARM_UP, samples):
        for agent in (ours, floor) if turn % 2 else (floor, ours):
            seconds = await agent.decide_one()
            if turn >= 0:
                taken[agent].append(1000 * seconds)
    return taken[ours], taken[floor]


async def _run(samples: int) -> None:
    rows: list[list[str]] = []
    async with our_agent() as ours, floor_agent() as floor:
        for others in OTHERS:
            rate, floor_rate = await ours.hold(others), await floor.hold(others)
            await ours.quiet()
            mine, bare = await _sample(ours, floor, samples)
            middle, bare_middle = parts.median(mine), parts.median(bare)
            rows.append([
                f"{others}", f"{middle:.1f}", f"{parts.percentile(mine, 0.95):.1f}", f"{bare_middle:.1f}",
                f"{parts.percentile(bare, 0.95):.1f}", f"{middle / bare_middle:.2f}x", "<= 2x, 50 ms",
                f"{rate:.0f}", f"{floor_rate:.0f}",
            ])  # fmt: skip
    titles = ["others waiting", "ours p50", "p95 ms", "floor p50", "p95 ms", "ratio p50", "target p50, p95"]
    parts.table([*titles, "calls opened/s", "floor"], rows)


def run(*, quick: bool) -> None:
    """Measure and print."""
    parts.heading("decision_latency: decision sent -> tool result")
    anyio.run(_run, 15 if quick else 60)


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
