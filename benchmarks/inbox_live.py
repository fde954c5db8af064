"""From the commit of a question to a real page that shows it, with 200 event streams connected.

The page is the inbox's list in Chromium; the clock runs from just before the agent's call until the question stands in
the page. The streams are read as they come, by this process. The floor is a bare event stream that makes a page fetch
itself, with as many streams, in the same run. At rest, the CPU that the service uses of one core is taken.

Targets: p95 <= 250 ms, idle CPU <= 5 % of a core.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import psutil
from playwright.async_api import Browser, Page

from benchmarks import parts
from benchmarks.inbox import question, signed_in
from benchmarks.service import our_service
from benchmarks.wire import Connection, call_bytes
from tests.browser import browser

STREAMS = 200
_WATCH = """
window.seen = {};
new MutationObserver(() => {
  for (const it of document.querySelectorAll("[id^=open-]")) window.seen[it.id] ??= Date.now();
}).observe(document, { childList: true, subtree: true });
"""


async def _read(port: int, call: bytes, counts: list[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(call)
    try:
        while some := await reader.read(65536):
            counts[0] += some.count(b"event: change")
            counts[1] += some.count(b"event: ready")
    finally:
        writer.close()


@asynccontextmanager
async def _streams(port: int, call: bytes) -> AsyncGenerator[list[int]]:
    """Counts of changes, and of streams that are ready."""
    counts = [0, 0]
    async with anyio.create_task_group() as tasks:
        for _ in range(STREAMS):
            tasks.start_soon(_read, port, call, counts)
        with anyio.fail_after(60):
            while counts[1] < STREAMS:
                await anyio.sleep(0.05)
        yield counts
        tasks.cancel_scope.cancel()


async def _samples(page: Page, ask: Callable[[int], Awaitable[str]], count: int) -> list[float]:
    """Milliseconds from the call to the page, for one question after the other."""
    taken: list[float] = []
    for number in range(count + 3):
        started = time.time()
        name = await ask(number)
        await page.wait_for_function("(id) => window.seen[id]", arg=f"open-{name}", polling=10)
        seen = await page.evaluate("(id) => window.seen[id]", f"open-{name}")
        if number >= 3:
            taken.append(seen - 1000 * started)
        await anyio.sleep(0.1)
    return taken


async def _ours(chrome: Browser, samples: int, idle: float) -> tuple[list[float], float, int]:
    async with our_service() as service:
        loop_id, person = await service.loop_id(), await signed_in(service)
        context = await chrome.new_context()
        await context.add_cookies([{"name": "hitl_session", "value": person.session, "url": person.origin}])
        page = await context.new_page()
        await page.add_init_script(_WATCH)
        async with _streams(service.port, person.get("/live", "text/event-stream")) as counts:
            await page.goto(f"{person.origin}/")
            await page.wait_for_selector("#live[data-state=live]")
            agent = await Connection.opened(service.port)

            async def ask(number: int) -> str:
                made = (await agent.call(question(service, loop_id, number))).data()
                return str(made["request_id"])

            taken = await _samples(page, ask, samples)
            process = psutil.Process(service.pid)
            await anyio.sleep(1)
            before, started = process.cpu_times(), time.perf_counter()
            await anyio.sleep(idle)
            after, lasted = process.cpu_times(), time.perf_counter() - started
            used = (after.user + after.system - before.user - before.system) / lasted
            await context.close()
            return taken, 100 * used, counts[0]


async def _floor(chrome: Browser, samples: int) -> list[float]:
    with parts.temporary_folder() as here, parts.process([parts.FLOORS / "event_stream.py"], cwd=here) as child:
        port = int(parts.read_line(child))
        page = await (await chrome.new_context()).new_page()
        await page.add_init_script(_WATCH)
        call = f"GET /live HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
        async with _streams(port, call):
            await page.goto(f"http://localhost:{port}/")
            agent = await Connection.opened(port)

            async def say(number: int) -> str:
                await agent.call(call_bytes("POST", f"/say/n{number}", port))
                return f"n{number}"

            taken = await _samples(page, say, samples)
            await page.context.close()
            return taken


async def _run(samples: int, idle: float) -> None:
    async with browser() as chrome:
        ours, used, changes = await _ours(chrome, samples, idle)
        floor = await _floor(chrome, samples)
    ratio = parts.median(ours) / parts.median(floor)
    parts.table(
        ["question to page, 200 streams", "median", "p95", "target", "ratio", "idle CPU", "target"],
        [
            ["ours", f"{parts.median(ours):.0f} ms", f"{parts.percentile(ours, 0.95):.0f} ms", "<= 250 ms",
             f"{ratio:.1f}x", f"{used:.1f} %", "<= 5 %"],
            ["bare event stream", f"{parts.median(floor):.0f} ms", f"{parts.percentile(floor, 0.95):.0f} ms", "", "",
             "", ""],
        ],
    )  # fmt: skip
    expected = STREAMS * (samples + 3)
    print(f"The streams were told of {changes:,} changes of {expected:,}.")


def run(*, quick: bool) -> None:
    """Measure and print."""
    parts.heading("inbox_live: a question reaches a page and 200 streams")
    anyio.run(_run, 30 if quick else 150, 6.0 if quick else 20.0)


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
