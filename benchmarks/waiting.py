"""1,000 open waits of one MCP client: CPU while nothing happens, and memory a wait.

Ours and the floor of `decision_latency`, at the same time on the same machine. CPU is what the stdio server and the
service used of one core over the observed seconds. Memory is what both processes hold with 1,000 waits minus what they
held before the first, with everything warm, divided by 1,000; once as resident set (RSS) and once as proportional set
(PSS, shared pages counted once; the better figure, where the system tells it). Hosts that ask for progress get some
every 8 s for each call; what that costs is shown in its own row.

Targets: CPU <= 2 % of a core, memory <= 40 kB a wait, over both processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio
import psutil

from benchmarks import parts
from benchmarks.agents import Agent, floor_agent, our_agent

WAITS = 1_000


def _cpu(pid: int) -> float:
    used = psutil.Process(pid).cpu_times()
    return used.user + used.system


def _rss(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss)


def _pss(pid: int) -> int:
    return int(getattr(psutil.Process(pid).memory_full_info(), "pss", 0))


def _each(agent: Agent, measure: Callable[[int], float]) -> list[float]:
    return [measure(pid) for pid in agent.pids]


async def _row(name: str, agent: Agent, seconds: float, *, progress: bool = False) -> list[str]:
    for _ in range(5):  # the first calls import and open much
        await agent.decide_one()
    await agent.quiet()
    rss, pss = _each(agent, _rss), _each(agent, _pss)
    agent.progress = progress
    await agent.hold(WAITS)
    if progress:
        await anyio.sleep(10)
    else:
        await agent.quiet()
    cpu, started = _each(agent, _cpu), time.perf_counter()
    await anyio.sleep(seconds)
    took = time.perf_counter() - started
    used = [100 * (after - before) / took for before, after in zip(cpu, _each(agent, _cpu), strict=True)]
    more_rss = [(after - before) / WAITS / 1000 for before, after in zip(rss, _each(agent, _rss), strict=True)]
    more_pss = [(after - before) / WAITS / 1000 for before, after in zip(pss, _each(agent, _pss), strict=True)]
    held = [value / 1_000_000 for value in pss]
    return [
        name, *(f"{value:.1f}" for value in used), f"{sum(used):.1f} %", "<= 2 %",
        *(f"{value:.1f}" for value in more_pss), f"{sum(more_pss):.1f} kB", f"{sum(more_rss):.1f} kB", "<= 40 kB",
        f"{held[0]:.0f} + {held[1]:.0f} MB",
    ]  # fmt: skip


async def _run(seconds: float) -> None:
    rows: list[list[str]] = []
    async with our_agent() as ours, floor_agent() as floor:
        rows.append(await _row("ours", ours, seconds))
        rows.append(await _row("floor", floor, seconds))
    async with our_agent() as ours:
        rows.append(await _row("ours, progress asked for", ours, max(seconds, 16), progress=True))
    parts.table(
        ["1,000 waits", "CPU: stdio", "service", "both", "target", "PSS a wait: stdio", "service", "both", "RSS both",
         "target", "PSS without waits"], rows,
    )  # fmt: skip


def run(*, quick: bool) -> None:
    """Measure and print."""
    parts.heading("waiting: 1,000 open waits of one client")
    anyio.run(_run, 6.0 if quick else 16.0)


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
