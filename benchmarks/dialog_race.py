"""1,000 questions answered twice at once: in the MCP client's own dialog, and in the inbox. Each has one decision.

Half of them over a modern connection, where the dialog's answer comes with the call's next round, half over a legacy
one. The inbox's answer starts within a few milliseconds of the dialog's, in random order. Afterwards the event log of
each request is counted: exactly one decision, the agent was told that one, and whoever came second was refused.

Ends with an error unless there are exactly 1,000 decisions and nobody was told anything else.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections import Counter
from typing import Any

import anyio
import anyio.abc
from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult

from benchmarks import parts
from benchmarks.service import OurService, our_service
from benchmarks.wire import Connection, call_bytes
from hitl_mcp.contract import routes

RACES = 1_000
AT_ONCE = 10
APART_SECONDS = 0.05
BOUND_SECONDS = 900.0
ERAS = ("auto", "legacy")


class Race:
    """Both sides of the races of one client.

    Args:
        person: the credential of whoever is in the inbox.
        refused: whether they came second, by request.
    """

    def __init__(
        self, service: OurService, person: dict[str, str], tasks: anyio.abc.TaskGroup, refused: dict[str, bool]
    ) -> None:
        self._service = service
        self._person = person
        self._tasks = tasks
        self._refused = refused

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        """The client's user, with somebody else in the inbox."""
        found = re.search(r"/requests/([0-9a-f]{24})", params.message)
        if found is None:
            raise RuntimeError(f"the dialog names no page: {params.message}")
        head_start = random.uniform(-APART_SECONDS, APART_SECONDS)
        self._tasks.start_soon(self._in_the_inbox, found[1], max(head_start, 0))
        await anyio.sleep(max(-head_start, 0))
        return ElicitResult(action="accept", content={"answer": "approve"})

    async def _in_the_inbox(self, request_id: str, after: float) -> None:
        await anyio.sleep(after)
        connection = await Connection.opened(self._service.port)
        path = routes.REQUEST_RESPOND.format(request_id=request_id)
        body = {"response_data": "reject", "revision": 1}
        reply = await connection.call(call_bytes("POST", path, self._service.port, body, self._person))
        connection.close()
        if reply.status not in (200, 409):
            raise RuntimeError(f"{reply}")
        self._refused[request_id] = reply.status == 409


async def _races(service: OurService, era: Any, races: int) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    refused: dict[str, bool] = {}
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "hitl_mcp"], env=parts.our_environment(service.settings.data_dir)
    )
    async with anyio.create_task_group() as tasks:
        race = Race(service, await service.reviewer_headers(), tasks, refused)
        numbers = iter(range(races))
        async with Client(command, mode=era, elicitation_callback=race) as client, anyio.create_task_group() as calls:

            async def call() -> None:
                for number in numbers:
                    arguments = {"action": f"deploy {era} {number}", "wait_seconds": 600}
                    result = await client.call_tool("request_human_approval", arguments)
                    told.append(result.structured_content or {})

            for _ in range(AT_ONCE):
                calls.start_soon(call)
        with anyio.fail_after(60):
            while len(refused) < races:
                await anyio.sleep(0.01)
    return [one | {"refused": refused[one["request_id"]]} for one in told]


async def _decisions(service: OurService, request_id: str) -> list[dict[str, Any]]:
    connection = await Connection.opened(service.port)
    path = routes.REQUEST_EVENTS.format(request_id=request_id)
    reply = await connection.call(call_bytes("GET", path, service.port, headers=service.agent_headers()))
    connection.close()
    return [event["data"] for event in reply.data()["events"] if event["type"] == "completed"]


def _true(one: dict[str, Any], decisions: list[dict[str, Any]]) -> bool:
    """Whether agent and inbox were told what the one decision is."""
    decided = decisions[0]["channel"], decisions[0]["response_data"]
    by_client = decided == ("client", "approve")
    expected = "approved" if by_client else "rejected"
    return one["outcome"] == expected and one["channel"] == decided[0] and one["refused"] is by_client


async def _run(races: int) -> None:
    rows: list[list[str]] = []
    count, untrue = 0, 0
    async with our_service() as service:
        with anyio.fail_after(BOUND_SECONDS):
            for era in ERAS:
                started = time.perf_counter()
                told = await _races(service, era, races // len(ERAS))
                seconds = time.perf_counter() - started
                won: Counter[str] = Counter()
                for one in told:
                    decisions = await _decisions(service, one["request_id"])
                    count += len(decisions)
                    untrue += len(decisions) != 1 or not _true(one, decisions)
                    won[one["channel"]] += 1
                rows.append([
                    "modern" if era == "auto" else era, f"{len(told)}", f"{won['client']}", f"{won['terminal']}",
                    f"{seconds:.0f}",
                ])  # fmt: skip
    parts.table(["connection", "races", "the dialog won", "the inbox won", "seconds"], rows)
    print(f"{count} decisions of {races} races, {untrue} told otherwise; target: {races}, 0")
    if count != races or untrue:
        raise SystemExit(1)


def run(*, quick: bool) -> None:
    """Race and count."""
    parts.heading("dialog_race: the client's dialog against the inbox")
    anyio.run(_run, 100 if quick else RACES)


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
