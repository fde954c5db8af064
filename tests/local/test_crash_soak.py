"""kill -9 at random moments, under load (D5, H17, H18): what was acknowledged is there exactly once, and nothing else.

Agents ask with explicit keys through the SDK, which starts the service again when it finds it dead. A person decides,
deadlines pass, and a seeded killer strikes after a random number of acknowledgements. At the end the database itself
is read: its integrity, every acknowledged request and decision, and every event chain.
"""

from __future__ import annotations

import hashlib
import json
import random
import signal
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import anyio
import psutil
import pytest
from anyio.lowlevel import checkpoint

from hitl_mcp.backends import open_backend
from hitl_mcp.contract.models import Created, NewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.errors import Conflict, HITLError, Unreachable
from hitl_mcp.sdk.aio import AsyncHITLClient
from tests.local.machine import database, gone, set_deadline, start_service
from tests.world import Reviewer, end_service, running_service, settings_for, sign_in

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(110)]

AGENTS, EACH, DECIDERS, DUE_LATER = 12, 5, 2, 6
KILLS = (1, 2)
"""How often in each of two rounds; again and again at night."""
VALUES = ("approve", "reject", "needs_changes")


@dataclass
class Ledger:
    """What the service has acknowledged to somebody."""

    asked: dict[str, str] = field(default_factory=dict[str, str])
    decided: dict[str, str] = field(default_factory=dict[str, str])
    sent: dict[str, str] = field(default_factory=dict[str, str])
    aging: set[str] = field(default_factory=set[str])
    over: set[str] = field(default_factory=set[str])
    acknowledgements: int = 0
    kills: int = 0
    lost_calls: int = 0

    @property
    def closed(self) -> int:
        """How many requests nobody has to look at again."""
        return len(self.decided) + len(self.over)

    def acknowledge(self) -> None:
        """One more."""
        self.acknowledgements += 1


async def persist(agent: AsyncHITLClient, loop_id: str, key: str, ledger: Ledger) -> Created:
    """Ask with a key until it is acknowledged; each kill may exhaust the SDK's own repeats."""
    while True:
        try:
            return await agent.create_request(
                loop_id, NewRequest(kind=Kind.APPROVAL, request_text=key), idempotency_key=key
            )
        except Unreachable:
            ledger.lost_calls += 1
            await anyio.sleep(0.02)


async def ask_many(agent: AsyncHITLClient, loop_id: str, name: str, to_decide: list[str], ledger: Ledger) -> None:
    for number in range(EACH):
        created = await persist(agent, loop_id, f"{name}-{number}", ledger)
        ledger.asked[f"{name}-{number}"] = created.request_id
        to_decide.append(created.request_id)
        ledger.acknowledge()


async def decide_all(folder: Path, to_decide: list[str], goal: int, ledger: Ledger, dice: random.Random) -> None:
    """Decide until `goal` requests are closed; starts and signs in again whenever service or session went away."""
    reviewer: Reviewer | None = None
    while ledger.closed < goal:
        if not to_decide:
            await anyio.sleep(0.005)
            continue
        request_id = to_decide.pop(dice.randrange(len(to_decide)))
        value = ledger.sent.setdefault(request_id, dice.choice(VALUES))
        try:
            if reviewer is None:
                reviewer = await sign_in(await start_service(folder))
            await reviewer.answer(request_id, value)
        except Conflict as conflict:
            status = cast("dict[str, Any]", conflict.details)["status"]
            if status == "timeout":
                ledger.over.add(request_id)
                continue
            assert status == "completed"  # an attempt that was never acknowledged had got through
        except HITLError:
            ledger.lost_calls += 1
            reviewer = None
            to_decide.append(request_id)
            await anyio.sleep(0.02)
            continue
        ledger.decided[request_id] = value
        ledger.acknowledge()


async def kill_at(folder: Path, moments: list[int], ledger: Ledger, dice: random.Random) -> None:
    """Strike a random instant after so many acknowledgements were given, with other calls on their way."""
    for moment in moments:
        while ledger.acknowledgements < moment:
            await anyio.sleep(0.001)
        found = await running_service(folder)
        instant = anyio.current_time() + dice.uniform(0, 0.02)
        while anyio.current_time() < instant:
            await checkpoint()
        psutil.Process(found.state.pid).send_signal(signal.SIGKILL)
        await gone(found.state.pid)
        ledger.kills += 1


async def one_round(
    folder: Path, number: int, kills: int, aged: list[str], ledger: Ledger, dice: random.Random
) -> list[str]:
    """Ask, decide and kill; `aged` is decided as well, unless its deadline is first. Returns what will age next."""
    settings = settings_for(folder)
    await start_service(folder)
    async with open_backend(settings) as agent:
        loop_id = (await agent.list_loops())[0].id
        to_decide, whole, before = list(aged), AGENTS * EACH, ledger.acknowledgements
        moments = sorted(before + dice.randrange(3, 2 * whole - 5) for _ in range(kills))
        goal = ledger.closed + len(aged) + whole
        async with anyio.create_task_group() as tasks:
            for worker in range(AGENTS):
                tasks.start_soon(ask_many, agent, loop_id, f"{number}-{worker}", to_decide, ledger)
            for _ in range(DECIDERS):
                tasks.start_soon(decide_all, folder, to_decide, goal, ledger, dice)
            tasks.start_soon(kill_at, folder, moments, ledger, dice)
        aging: list[str] = []
        for extra in range(DUE_LATER):
            created = await persist(agent, loop_id, f"{number}-aging-{extra}", ledger)
            ledger.asked[f"{number}-aging-{extra}"] = created.request_id
            aging.append(created.request_id)
    await end_service(folder)
    for request_id in aging:  # due under the load of the next round
        set_deadline(folder, [request_id], seconds_from_now=dice.uniform(0.3, 1.5))
    ledger.aging.update(aging)
    return aging


@pytest.mark.parametrize("kills", [KILLS, pytest.param(KILLS * 3, marks=pytest.mark.nightly)], ids=len)
async def test_what_was_acknowledged_survives_every_kill_exactly_once(folder: Path, kills: tuple[int, ...]) -> None:
    dice, ledger = random.Random(20_261_120), Ledger()
    aged: list[str] = []
    for number, times in enumerate(kills):
        aged = await one_round(folder, number, times, aged, ledger, dice)
    set_deadline(folder, aged, seconds_from_now=-1)
    await start_service(folder)
    await end_service(folder)

    assert ledger.kills == sum(kills)
    with database(folder) as connection:
        assert [row[0] for row in connection.execute("PRAGMA integrity_check")] == ["ok"]
        assert list(connection.execute("PRAGMA foreign_key_check")) == []
        check_requests(connection, ledger)
        check_chains(connection)


def check_requests(connection: sqlite3.Connection, ledger: Ledger) -> None:
    rows = {row["id"]: row for row in connection.execute("SELECT * FROM requests")}
    assert {row["request_text"]: row["id"] for row in rows.values()} == ledger.asked
    assert len(rows) == len(ledger.asked), "asked once, there once"
    closing = ("completed", "timeout")
    events = connection.execute("SELECT request_id, type FROM events").fetchall()
    closed = Counter(row["request_id"] for row in events if row["type"] in closing)
    kinds = Counter((row["request_id"], row["type"]) for row in events)
    for request_id, row in rows.items():
        assert kinds[request_id, "created"] == 1
        assert closed[request_id] == 1
        if request_id in ledger.decided:
            assert row["status"] == "completed"
            assert json.loads(row["response_data"]) == ledger.decided[request_id]
            assert row["decided_revision"] == 1
            assert kinds[request_id, "completed"] == 1
        else:
            assert request_id in ledger.aging
            assert (row["status"], row["response_data"]) == ("timeout", None)
    assert not ledger.over & ledger.decided.keys()
    assert len(ledger.decided) + len(ledger.over) + DUE_LATER == len(rows)
    print(f"\n{ledger.kills} kills, {ledger.lost_calls} calls lost, {len(ledger.over)} deadlines before an answer")


def check_chains(connection: sqlite3.Connection) -> None:
    """Recompute every hash, from the documented recipe."""
    seen: dict[str, tuple[int, str]] = {}
    for row in connection.execute("SELECT * FROM events ORDER BY position"):
        seq, head = seen.get(row["request_id"], (0, "0" * 64))
        assert (row["seq"], row["previous_hash"]) == (seq + 1, head)
        data_hash = hashlib.sha256(row["data"].encode()).hexdigest()
        parts = (head, row["request_id"], str(row["seq"]), row["type"], row["actor"], str(row["at"]), data_hash)
        assert row["data_hash"] == data_hash
        assert row["hash"] == hashlib.sha256("|".join(parts).encode()).hexdigest()
        seen[row["request_id"]] = (row["seq"], row["hash"])
    for row in connection.execute("SELECT id, seq FROM requests"):
        assert seen[row["id"]][0] == row["seq"]
