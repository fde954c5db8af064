"""1,000 requests that two reviewers decide at once, one with yes and one with no.

Ends with an error unless there are exactly 1,000 decisions and every second answer was refused.
"""

from __future__ import annotations

import time

import anyio

from benchmarks import parts
from tests.service.stage import stage
from tests.service.test_two_reviewers import decided_twice

REQUESTS = 1_000


async def _run(count: int) -> None:
    with parts.temporary_folder() as folder:
        async with stage(folder / "data") as on:
            grace = await on.second_person()
            started = time.perf_counter()
            decisions, came = await decided_twice(on, grace, count)
            seconds = time.perf_counter() - started
    row = [f"{count}", f"{decisions}", f"{came[200]}", f"{came[409]}", f"{seconds:.0f}"]
    parts.table(["requests", "decisions", "recorded", "refused", "seconds"], [row])
    print(f"target: {count} decisions")
    if decisions != count or (came[200], came[409]) != (count, count):
        raise SystemExit(1)


def run(*, quick: bool) -> None:
    """Let both decide, and count."""
    parts.heading("two_reviewers: the same requests decided twice at once")
    anyio.run(_run, 100 if quick else REQUESTS)


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
