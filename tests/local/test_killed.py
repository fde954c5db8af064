"""Nothing is lost when a process dies (D5, D6, D13, H26): the service, the stdio server, gently or not."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from anyio.lowlevel import checkpoint

from hitl_mcp.contract import routes
from hitl_mcp.contract.local import STATE_FILE
from hitl_mcp.errors import ServiceFault, Unreachable
from hitl_mcp.sdk.local import Found, ask
from tests.conftest import services_of
from tests.local.machine import (
    ask_approval,
    check,
    database,
    events_of,
    fields_of,
    gone,
    is_alive,
    kill_service,
    open_texts,
    raw_server,
    start_service,
    stop_service,
    world_of,
)
from tests.world import WAIT, eventually, running_service, sign_in, stdio_client

pytestmark = pytest.mark.anyio

DECISIONS = {"First": ("approve", "approved"), "Second": ("reject", "rejected"), "Third": ("needs_changes", None)}


async def all_open(folder: Path, wanted: set[str]) -> dict[str, str]:
    """The ids of these questions, once all of them wait for a person."""

    async def look() -> dict[str, str] | None:
        texts = await open_texts(folder)
        return texts if wanted <= texts.keys() else None

    await eventually(lambda: anyio.Path(folder / STATE_FILE).exists())
    return await eventually(look)


async def test_calls_that_wait_while_the_service_is_killed_get_the_decision_made_after_the_restart(
    folder: Path,
) -> None:
    results: dict[str, dict[str, Any]] = {}
    asked: dict[str, str] = {}
    async with stdio_client(folder) as one, stdio_client(folder, "legacy") as two:
        clients = {"First": one, "Second": one, "Third": two}

        async def agent(action: str) -> None:
            results[action] = await ask_approval(clients[action], action, wait_seconds=60)

        async with anyio.create_task_group() as tasks:
            for action in DECISIONS:
                tasks.start_soon(agent, action)
            asked |= await all_open(folder, set(DECISIONS))
            pid = await kill_service(folder)
            assert not results

            assert await all_open(folder, set(DECISIONS)) == asked, "the waiting clients started it again"
            found = await running_service(folder)
            assert found.state.pid != pid
            reviewer = await sign_in(found)
            for action, (value, _) in DECISIONS.items():
                await reviewer.answer(asked[action], value)

    for action, (value, outcome) in DECISIONS.items():
        assert results[action]["request_id"] == asked[action]
        assert results[action]["outcome"] == (outcome or value)
        assert results[action]["approved"] is (value == "approve")
    assert len(services_of(folder)) == 1


async def test_a_decision_acknowledged_just_before_the_kill_reaches_the_waiting_call(folder: Path) -> None:
    results: list[dict[str, Any]] = []
    text = "Decide, then die"
    async with stdio_client(folder) as client:

        async def agent() -> None:
            results.append(await ask_approval(client, text, wait_seconds=60))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(agent)
            request_id = (await all_open(folder, {text}))[text]
            found = await running_service(folder)
            reviewer = await sign_in(found)
            await reviewer.answer(request_id, "approve")
            psutil.Process(found.state.pid).send_signal(signal.SIGKILL)

        assert results[0]["approved"] is True
        assert (await check(client, results[0]["request_id"]))["approved"] is True


async def test_a_service_killed_again_and_again_never_answers_for_a_person(folder: Path) -> None:
    async with stdio_client(folder) as client:
        request_id = (await ask_approval(client, "Survive"))["request_id"]
        for _ in range(3):
            await kill_service(folder)
            result = await check(client, request_id)
            assert (result["outcome"], result["approved"]) == ("pending", False)
        async with world_of(folder) as world:
            assert await events_of(world, request_id) == ["created"]


async def test_a_create_whose_answer_was_lost_with_the_service_is_found_again_by_its_key(folder: Path) -> None:
    ids: list[str] = []
    for _ in range(3):  # the same call, as a client repeats it that never heard an answer
        await start_service(folder)
        async with world_of(folder) as here:
            created = await here.ask_approval("Ask me once", once_key="the same")
            ids.append(created.request_id)
            assert created.joined is (len(ids) > 1)
            assert list(await open_texts(folder)) == ["Ask me once"]
        await kill_service(folder)
    assert len(set(ids)) == 1


async def test_a_killed_stdio_server_leaves_its_request_to_the_next_one(folder: Path) -> None:
    async with raw_server(folder) as server:
        await server.initialize()
        await server.call("request_human_approval", {"action": "Outlive me", "wait_seconds": 45})
        asked = await all_open(folder, {"Outlive me"})
        service = await running_service(folder)
        server.process.kill()
        await server.ended()
    assert is_alive(service.state.pid)

    async with stdio_client(folder) as client:
        listed = fields_of(await client.call_tool("list_requests", {}))["requests"]
        assert [(item["request_id"], item["outcome"]) for item in listed] == [(asked["Outlive me"], "pending")]
        reviewer = await sign_in(service)
        await reviewer.answer(asked["Outlive me"], "approve", comment="Go")
        result = await check(client, asked["Outlive me"], wait_seconds=10)
    assert result["approved"] is True
    assert result["reviewer_comment"] == "Go"


@pytest.mark.parametrize(
    ("how", "waiting"),
    [
        pytest.param("SIGTERM", True, id="SIGTERM-while a call waits"),
        pytest.param("EOF", False, id="EOF-idle"),
        pytest.param("SIGINT", True, id="SIGINT-while a call waits"),
        pytest.param("SIGTERM", False, id="SIGTERM-idle", marks=pytest.mark.nightly),
        pytest.param("SIGINT", False, id="SIGINT-idle", marks=pytest.mark.nightly),
        pytest.param("EOF", True, id="EOF-while a call waits", marks=pytest.mark.nightly),
    ],
)
async def test_a_stdio_server_ends_with_exit_code_zero(folder: Path, how: str, waiting: bool) -> None:
    if sys.platform == "win32" and how != "EOF":
        pytest.skip("POSIX signals")
    async with raw_server(folder) as server:
        await server.initialize()
        if waiting:
            await server.call("request_human_approval", {"action": "Wait for it", "wait_seconds": 45})
            await all_open(folder, {"Wait for it"})
        if how == "EOF":
            await server.hang_up()
        else:
            server.process.send_signal(signal.Signals[how])
        assert await server.ended() == 0
    if waiting:
        assert "Wait for it" in await open_texts(folder), "the end of a client withdraws nothing"
    else:
        assert not folder.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.nightly)])
async def test_a_service_told_to_end_keeps_every_write_it_acknowledged(folder: Path, name: str) -> None:
    found = await start_service(folder)
    loop_id = (await ask(found.endpoint(), "GET", routes.LOOPS))["loops"][0]["id"]
    acknowledged: dict[str, str] = {}
    failures: list[Exception] = []

    async with anyio.create_task_group() as tasks:
        for worker in range(8):
            tasks.start_soon(_create_until_refused, found, loop_id, f"{worker}", acknowledged, failures)

        async def enough() -> bool:
            return len(acknowledged) >= 20

        await eventually(enough)
        psutil.Process(found.state.pid).send_signal(signal.Signals[name])
    await gone(found.state.pid)

    assert len(failures) == 8
    assert not (folder / STATE_FILE).exists(), "it ended in order: nobody is sent to it any more"
    log = (folder / "service.log").read_text(encoding="utf-8")
    assert "Traceback" not in log
    with database(folder) as connection:
        kept = {row["request_text"]: row["id"] for row in connection.execute("SELECT id, request_text FROM requests")}
    assert acknowledged.items() <= kept.items()
    await start_service(folder)
    shown = await open_texts(folder)
    assert shown.items() <= kept.items()
    assert len(shown) == min(len(kept), 200), "one page of them"


async def _create_until_refused(
    found: Found, loop_id: str, name: str, acknowledged: dict[str, str], failures: list[Exception]
) -> None:
    """Ask, one question after another, without ever trying again, until the service is gone."""
    path = routes.LOOP_REQUESTS.format(loop_id=loop_id)
    with anyio.fail_after(WAIT):
        for number in range(10_000):
            text = f"{name}-{number}"
            try:
                made = await ask(found.endpoint(), "POST", path, {"kind": "approval", "request_text": text})
            except (Unreachable, ServiceFault) as error:
                failures.append(error)
                return
            acknowledged[text] = made["request_id"]
            await checkpoint()


async def test_an_orderly_end_leaves_the_whole_database_in_one_file(folder: Path) -> None:
    await start_service(folder)
    async with world_of(folder) as here:
        await here.ask_approval("Take me with you")
    await stop_service(folder)
    assert not (folder / "hitl.db-wal").exists()
    assert b"Take me with you" in (folder / "hitl.db").read_bytes()
