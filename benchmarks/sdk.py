"""What the SDK adds: the sync client over the async one, reading a list, and importing it.

* A call: one GET of the key's facts against a minimal ASGI server in a process of its own, by the async client and by
  the sync one, in turns of 100. The difference of the medians is what the sync client costs.
* Reading: a list of 100 requests, from the bytes of the answer to objects, by the SDK and by plain pydantic
  (`validate_json` of the same bytes into the same models).
* Importing: `import hitl_mcp` and `from hitl_mcp import HITLClient` in fresh interpreters, against importing httpx2 and
  pydantic's BaseModel; the three take turns.

Targets: at most 0.3 ms more; at most 2x; at most 1.2x for `import hitl_mcp`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import anyio
from pydantic import BaseModel, TypeAdapter

from benchmarks import parts
from hitl_mcp import AsyncHITLClient, HITLClient
from hitl_mcp.contract.models import RequestFilter, ReviewRequest
from hitl_mcp.sdk import calls
from hitl_mcp.sdk.failures import envelope_data

SYNC_MS, READING, IMPORTING = 0.3, 2.0, 1.2
TURN = 100
IMPORTS = {
    "floor": "import httpx2; from pydantic import BaseModel",
    "import hitl_mcp": "import hitl_mcp",
    "from hitl_mcp import HITLClient": "from hitl_mcp import HITLClient",
}
_PERSON = {"id": "a" * 24, "name": "Ada", "email": "ada@example.com"}
_REQUEST: dict[str, Any] = {
    "id": "b" * 24, "loop_id": "c" * 24, "creator_id": "a" * 24, "api_key_id": "d" * 24, "kind": "approval",
    "status": "completed", "revision": 1, "processing_type": "deferred", "type": "markdown", "priority": "medium",
    "request_text": "May I delete the backup of last week? " * 8, "response_type": "single_select",
    "response_config": {"options": [{"value": name, "label": name.title()} for name in ("approve", "reject")]},
    "default_response": "reject", "context": {"ticket": 7, "files": ["a.tar", "b.tar"]}, "platform": "api",
    "timeout_at": "2026-03-03T09:30:00Z", "created_at": "2026-03-02T09:30:00Z", "updated_at": "2026-03-02T09:31:00Z",
    "response_by": "a" * 24, "response_by_user": _PERSON, "response_at": "2026-03-02T09:31:00Z",
    "response_data": "approve", "response_time_seconds": 60.0, "decided_revision": 1, "decision": "approved",
    "broadcasted_at": "2026-03-02T09:30:00Z", "images": [], "tags": ["backup"],
}  # fmt: skip


class _Page(BaseModel):
    requests: list[ReviewRequest]


class _Envelope(BaseModel):
    error: bool
    msg: str
    data: _Page


def _body(data: dict[str, Any]) -> bytes:
    return json.dumps({"error": False, "msg": "Said", "data": data}).encode()


def _calls(count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each call: async, sync."""
    taken: tuple[list[float], list[float]] = [], []
    facts = _body({"api_key_id": "d" * 24, "account_status": "active", "permissions": ["requests:read"]})
    with parts.temporary_folder() as here, parts.process([parts.FLOORS / "request_list.py"], cwd=here) as child:
        parts.write(child, facts + b"\n")
        url = f"http://127.0.0.1:{int(parts.read_line(child))}"

        async def turn(client: AsyncHITLClient, into: list[float]) -> None:
            for _ in range(TURN):
                started = time.perf_counter()
                await client.check_key()
                into.append(1000 * (time.perf_counter() - started))

        async def measure(sync: HITLClient) -> None:
            async with AsyncHITLClient("key", url) as client:
                await turn(client, [])  # the first opens connections
                for _ in range(count // TURN):
                    await turn(client, taken[0])
                    _sync_turn(sync, taken[1])  # blocks this loop, which has nothing else to do

        with HITLClient("key", url) as sync:
            _sync_turn(sync, [])
            anyio.run(measure, sync)
    return taken


def _sync_turn(client: HITLClient, into: list[float]) -> None:
    for _ in range(TURN):
        started = time.perf_counter()
        client.check_key()
        into.append(1000 * (time.perf_counter() - started))


def _reading(count: int) -> tuple[float, float]:
    """Milliseconds of the SDK and of plain pydantic: medians."""
    body = _body({"requests": [_REQUEST] * 100})
    call, plain = calls.list_requests(RequestFilter()), TypeAdapter(_Envelope)
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: call.read(envelope_data(200, body)),
        "floor": lambda: plain.validate_json(body),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(-1, count):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if turn >= 0:
                taken[name].append(1000 * (time.perf_counter() - started))
    return parts.median(taken["ours"]), parts.median(taken["floor"])


def _importing(count: int) -> dict[str, float]:
    """Milliseconds of a fresh interpreter: medians, without those of an empty one."""
    taken: dict[str, list[float]] = {name: [] for name in ("", *IMPORTS)}
    for turn in range(-1, count):
        for name in sorted(taken, reverse=turn % 2 == 0):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", IMPORTS.get(name, "pass")], env=parts.environment(), check=True)
            if turn >= 0:
                taken[name].append(1000 * (time.perf_counter() - started))
    empty = parts.median(taken[""])
    return {name: parts.median(values) - empty for name, values in taken.items() if name}


def run(*, quick: bool) -> None:
    """Measure and print."""
    parts.heading("sdk: what the client adds")
    own, sync = (parts.median(values) for values in _calls(400 if quick else 2000))
    parts.table(
        ["a call", "async ms", "sync ms", "more ms", "target"],
        [["p50", f"{own:.3f}", f"{sync:.3f}", f"{sync - own:.3f}", f"<= {SYNC_MS}"]],
    )
    ours, floor = _reading(50 if quick else 300)
    parts.table(
        ["reading 100 requests", "ours ms", "pydantic ms", "ratio", "target"],
        [["p50", f"{ours:.2f}", f"{floor:.2f}", f"{ours / floor:.2f}x", f"<= {READING}x"]],
    )
    found = _importing(5 if quick else 15)
    parts.table(
        ["importing, beyond an empty interpreter", "ms", "ratio", "target"],
        [
            [
                name,
                f"{took:.0f}",
                f"{took / found['floor']:.2f}x",
                f"<= {IMPORTING}x" if name == "import hitl_mcp" else "",
            ]
            for name, took in found.items()
        ],
    )


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
