"""`python -m benchmarks.webhook_first [--quick]`: from a question to the first attempt at its webhooks.

The whole service in its own process, several endpoints at receivers of this process, and one question after the other.
Timed from the moment before the question is sent, so that its commit lies within; beside it what the call itself takes.

Target: the first attempt within 250 ms of the commit.
"""

from __future__ import annotations

import asyncio
import json
import time

import anyio

from benchmarks import parts
from benchmarks.service import our_service
from hitl_mcp.contract import routes
from hitl_mcp.sdk.local import ask

ENDPOINTS = 20
WAIT_SECONDS = 30.0
BODY = {"kind": "approval", "processing_type": "time-sensitive", "timeout_seconds": 86_400, "request_text": "Deploy?"}


class Receiver:
    """Notes when each request's events came."""

    def __init__(self) -> None:
        self.came: dict[str, list[float]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one event after the other from a connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                self.came.setdefault(body["request_id"], []).append(time.perf_counter())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError):
            pass


async def _measure(questions: int) -> None:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with our_service() as service:
        await ask(service.found.console(), "POST", routes.OUTGOING, {"address": f"127.0.0.1:{port}"})
        agent, loop_id = service.found.endpoint(), await service.loop_id()
        for number in range(ENDPOINTS):
            hook = {"url": f"http://127.0.0.1:{port}/{number}", "events": ["request.created"]}
            await ask(agent, "POST", routes.WEBHOOKS, hook)
        calls: list[float] = []
        first: list[float] = []
        last: list[float] = []
        for number in range(questions + 3):
            started = time.perf_counter()
            made = await ask(agent, "POST", routes.LOOP_REQUESTS.format(loop_id=loop_id), BODY)
            answered = time.perf_counter()
            with anyio.fail_after(WAIT_SECONDS):
                while len(came := receiver.came.get(made["request_id"], [])) < ENDPOINTS:
                    await anyio.sleep(0.002)
            if number >= 3:
                calls.append(1000 * (answered - started))
                first.append(1000 * (came[0] - started))
                last.append(1000 * (came[-1] - started))
    server.close()
    rows = [
        [name, f"{parts.median(taken):.0f}", f"{parts.percentile(taken, 0.95):.0f}", f"{max(taken):.0f}", target]
        for name, taken, target in (
            ("the call itself", calls, ""),
            ("first attempt at the first endpoint", first, "250"),
            (f"first attempt at the last of {ENDPOINTS}", last, "250"),
        )
    ]
    parts.table(["from before the call to", "p50 ms", "p95 ms", "slowest", "target"], rows)


def run(*, quick: bool) -> None:
    """Measure and print."""
    questions = 40 if quick else 200
    parts.heading(f"webhooks: first attempts after {questions} questions")
    anyio.run(_measure, questions)


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
