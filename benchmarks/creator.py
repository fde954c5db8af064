"""One of many client processes of `creates`: opens the configured backend, waits for a line, then asks questions.

Prints a JSON object with the seconds of each question and the words of each failure.
"""

from __future__ import annotations

import json
import sys
import time

import anyio

from hitl_mcp.backends import open_backend
from hitl_mcp.contract.models import NewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.settings import read_settings


async def _run(name: str, questions: int) -> dict[str, object]:
    taken: list[float] = []
    failures: list[str] = []
    async with open_backend(read_settings()) as client:
        print("ready", flush=True)
        sys.stdin.readline()
        started = time.perf_counter()
        loop = (await client.list_loops())[0]
        first = time.perf_counter() - started
        for number in range(questions):
            new = NewRequest(
                kind=Kind.APPROVAL, processing_type="time-sensitive", timeout_seconds=3600,
                request_text=f"Question {number} of client {name}",
            )  # fmt: skip
            started = time.perf_counter()
            try:
                await client.create_request(loop.id, new, idempotency_key=f"{name}-{number}")
            except Exception as error:  # boundary: each failure is counted
                failures.append(f"{type(error).__name__}: {error}")
            taken.append(time.perf_counter() - started)
    return {"taken": taken, "failures": failures, "first": first}


if __name__ == "__main__":
    print(json.dumps(anyio.run(_run, sys.argv[1], int(sys.argv[2]))), flush=True)
