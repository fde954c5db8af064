"""Webhooks on somebody's own machine: at the terminal, past kill -9, and a service that ends all the same."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from hitl_mcp.backends import open_backend
from hitl_mcp.contract import routes
from hitl_mcp.contract.models import NewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.sdk.local import ask
from hitl_mcp.webhooks import verify_signature
from tests.conftest import services_of
from tests.local.machine import database, gone, start_service, terminal, world_of
from tests.service.receiver import Listener, Received, listening
from tests.test_cli import type_into
from tests.world import WAIT, eventually, running_service, settings_for, stdio_client

pytestmark = pytest.mark.anyio

EVENTS = 60


@asynccontextmanager
async def allowed(folder: Path) -> AsyncGenerator[Listener]:
    """A receiver that the folder's running service may call."""
    async with listening() as receiver:
        body = {"address": f"127.0.0.1:{receiver.port}", "keep": True}
        await ask((await running_service(folder)).console(), "POST", routes.OUTGOING, body)
        yield receiver


async def test_the_terminal_registers_tries_and_repeats_after_a_person_allowed_the_address(folder: Path) -> None:
    async def said(*words: str, code: int = 0) -> str:
        done = await terminal(folder, "webhooks", *words)
        assert done.code == code, done
        return done.out

    await start_service(folder)
    async with listening() as receiver:
        refused = await terminal(folder, "webhooks", "add", receiver.url)
        assert refused.code == 2 and "HITL_OUTGOING_ALLOW" in refused.err
        assert "hitl-mcp webhooks allow HOST:PORT" in refused.err, "the local way is named too"
        agents = await terminal(folder, "webhooks", "allow", "127.0.0.1")
        assert agents.code == 2 and "a person at a terminal is needed" in agents.err
        code, shown = await anyio.to_thread.run_sync(lambda: type_into(folder, [], "webhooks", "allow", "127.0.0.1"))
        assert code == 0 and "Allowed: 127.0.0.1" in shown

        added = (await said("add", receiver.url, "--event", "request.*")).split()
        hook, secret = added[added.index("Webhook") + 1], added[added.index("Secret") + 1]
        listed = await said("list")
        assert hook in listed and "request.*" in listed and secret not in listed
        assert "200" in await said("test", hook)
        assert verify_signature(receiver.received[0].headers, receiver.received[0].raw, secret)

        async with world_of(folder) as here:
            await here.ask_approval("Ship it?")
        await eventually(lambda: _came(receiver, 2))
        last = receiver.received[1].body["event_id"]

        async def recorded() -> bool:
            return f"done  {last}" in await said("deliveries", hook)

        await eventually(recorded)
        line = next(line for line in (await said("deliveries", hook)).splitlines() if last in line)
        assert "request.created" in line and "200 in" in line
        assert "1 on the way again" in await said("redeliver", hook, "--delivery", line.split()[0])
        await eventually(lambda: _came(receiver, 3))
        assert receiver.received[2].body["event_id"] == last

        rotated = (await said("rotate", hook, "--overlap", "0")).split()[1]
        assert rotated != secret
        await said("test", hook)
        assert verify_signature(receiver.received[3].headers, receiver.received[3].raw, rotated)
        receiver.answer = lambda _: (404, {}, b"no such page")
        assert "no such page" in await said("test", hook, code=1)
        await said("remove", hook)
        assert "There is none yet" in await said("list")


async def _came(receiver: Listener, count: int) -> bool:
    return len(receiver.received) >= count


async def test_what_a_killed_service_was_sending_arrives_after_the_restart_under_the_same_id(folder: Path) -> None:
    await start_service(folder)
    async with allowed(folder) as receiver, open_backend(settings_for(folder)) as agent:
        hook = await agent.create_webhook({"url": receiver.url, "events": ["request.created"]})
        kill_at = [EVENTS // 3, 2 * EVENTS // 3]
        killed: list[int] = []

        def answer(_: Received) -> tuple[int, dict[str, str], bytes]:
            if kill_at and len(receiver.received) >= kill_at[0]:
                kill_at.pop(0)
                for process in services_of(folder):
                    killed.append(process.pid)
                    process.send_signal(signal.SIGKILL)
            return (200, {}, b"")  # nobody hears it

        receiver.answer = answer
        loop_id = (await agent.list_loops())[0].id
        for number in range(EVENTS):
            new = NewRequest(kind=Kind.APPROVAL, request_text=f"Question {number}")
            with anyio.fail_after(2 * WAIT):
                await agent.create_request(loop_id, new, idempotency_key=f"question-{number}")

        async def all_sent() -> bool:
            found = await agent.list_deliveries(hook.id, limit=100)
            return len(found) == EVENTS and all(one.state == "done" for one in found)

        await eventually(all_sent)
        expected = {one.event_id for one in await agent.list_deliveries(hook.id, limit=100)}
    assert len(killed) == 2
    bodies = {(call.body["event_id"], call.raw) for call in receiver.received}
    assert {event_id for event_id, _ in bodies} == expected and len(expected) == EVENTS
    assert len(bodies) == EVENTS, "what came twice was the same, byte for byte"
    assert len({call.headers["webhook-id"] for call in receiver.received}) == EVENTS


async def test_a_dead_receiver_does_not_keep_the_service_up_and_hears_of_it_after_the_next_start(
    folder: Path,
) -> None:
    async with stdio_client(folder, HITL_IDLE_SECONDS="1") as client:
        await client.call_tool("list_loops", {})
        pid = (await running_service(folder)).state.pid
        async with allowed(folder) as receiver, world_of(folder) as here:
            receiver.answer = lambda _: (503, {"Retry-After": "3600"}, b"")
            hook = await here.agent.create_webhook({"url": receiver.url})
            asked = await here.ask_approval("Ship it?")

            async def tried() -> bool:
                return any(one.attempts for one in await here.agent.list_deliveries(hook.id))

            await eventually(tried)
            await here.reviewer.answer(asked.request_id, "approve")  # what it causes is due now, behind the other
    await gone(pid)
    with database(folder) as connection:
        waiting = connection.execute("SELECT state, attempts FROM deliveries ORDER BY id").fetchall()
        assert [tuple(row) for row in waiting] == [("waiting", 1), ("waiting", 0)]
        connection.execute("UPDATE deliveries SET due_at = 0")
    async with listening() as receiver:
        with database(folder) as connection:
            connection.execute("UPDATE endpoints SET url = ? WHERE id = ?", (receiver.url, hook.id))
            connection.execute(
                "UPDATE facts SET value = ? WHERE name = 'outgoing_allow'", (f'["127.0.0.1:{receiver.port}"]',)
            )
        await start_service(folder)
        await eventually(lambda: _came(receiver, 2))
        assert receiver.events() == ["request.created", "request.completed"]
