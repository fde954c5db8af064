"""Where no background process can be started, the stdio process hosts the service, and says so (D13, H34)."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from hitl_mcp.contract.local import STATE_FILE
from tests.conftest import services_of
from tests.local.machine import (
    RawServer,
    ask_approval,
    check,
    fields_of,
    open_texts,
    raw_server,
    terminal,
)
from tests.world import eventually, running_service, sign_in, stdio_client

pytestmark = pytest.mark.anyio

INSIDE = {"HITL_SERVICE": "in-process"}


async def hosting(server: RawServer, action: str) -> dict[str, Any]:
    """Let a raw server ask, and so host the service; the result's structure."""
    await server.initialize()
    answer = await server.answer(await server.call("request_human_approval", {"action": action, "wait_seconds": 0}))
    return answer["result"]["structuredContent"]


async def test_the_stdio_process_hosts_the_service_and_says_so(folder: Path) -> None:
    async with raw_server(folder, **INSIDE) as server:
        result = await hosting(server, "Host me")
        assert "goes away with it" in result["message"]
        found = await running_service(folder)
        assert found.state.pid == server.process.pid
        assert found.state.hosted_by == "stdio"
        assert services_of(folder) == []
        status = await terminal(folder, "status", **INSIDE)
        assert status.code == 0
        assert f"process {server.process.pid}," in status.out
        assert "It runs inside an agent's process and ends with it." in status.out
        assert "Open requests: 1;" in status.out
        await server.hang_up()
        assert await server.ended() == 0
    assert (await terminal(folder, "status", **INSIDE)).code == 1


async def test_its_stdout_carries_nothing_but_json_rpc(folder: Path) -> None:
    async with raw_server(folder, **INSIDE, HITL_LOG_LEVEL="DEBUG") as server:
        first = await hosting(server, "Quiet, please")
        reviewer = await sign_in(await running_service(folder))
        call = await server.call("check_request", {"request_id": first["request_id"], "wait_seconds": 10})
        await reviewer.answer(first["request_id"], "approve")
        decided = await server.answer(call)
        assert decided["result"]["structuredContent"]["approved"] is True
        refused = await server.answer(await server.call("check_request", {"request_id": "nonsense"}))
        assert refused["result"]["isError"] is True
        await server.hang_up()
        rest = await server.rest()
        assert await server.ended() == 0

    lines = [*server.lines, *rest.splitlines()]
    assert len(lines) >= 4
    for line in lines:
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        assert "method" in message or {"result", "error"} & message.keys()


async def test_a_second_stdio_process_uses_it_and_goes_on_with_the_same_requests_after_its_end(folder: Path) -> None:
    async with stdio_client(folder, **INSIDE) as second:
        async with raw_server(folder, **INSIDE) as host:
            first = await hosting(host, "First")
            mine = await ask_approval(second, "Second")
            assert (await running_service(folder)).state.pid == host.process.pid
            assert "goes away with it" in mine["message"]
            decided: list[dict[str, Any]] = []

            async def wait() -> None:
                decided.append(await check(second, mine["request_id"], wait_seconds=60))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)

                async def somebody_waits() -> bool:
                    return "agents waiting: 1" in (await terminal(folder, "status", **INSIDE)).out

                await eventually(somebody_waits)
                await host.hang_up()
                assert await host.ended() == 0

                async def hosted_again() -> bool:
                    found = await running_service(folder)
                    return found.state.pid != host.process.pid and found.state.hosted_by == "stdio"

                await eventually(hosted_again)
                assert await open_texts(folder) == {"First": first["request_id"], "Second": mine["request_id"]}
                reviewer = await sign_in(await running_service(folder))
                await reviewer.answer(mine["request_id"], "approve")
        assert decided[0]["approved"] is True
        listed = fields_of(await second.call_tool("list_requests", {}))["requests"]
        assert {item["request_id"] for item in listed} == {first["request_id"], mine["request_id"]}


async def test_a_killed_host_loses_nothing(folder: Path) -> None:
    async with raw_server(folder, **INSIDE) as host:
        first = await hosting(host, "Kill my host")
        reviewer = await sign_in(await running_service(folder))
        await reviewer.answer(first["request_id"], "approve")
        host.process.kill()
        await host.ended()
    async with stdio_client(folder, **INSIDE) as client:
        assert (await check(client, first["request_id"]))["approved"] is True


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
async def test_a_host_ended_by_a_signal_ends_its_service_in_order(folder: Path) -> None:
    """H26: what is being written is finished, and nobody is sent to it any more."""
    async with raw_server(folder, **INSIDE) as host:
        await hosting(host, "End me gently")
        host.process.send_signal(signal.SIGTERM)
        assert await host.ended() == 0
    assert not (folder / STATE_FILE).exists()
    assert not (folder / "hitl.db-wal").exists()


async def test_a_terminal_command_hosts_nothing_and_says_what_to_do(folder: Path) -> None:
    said = await terminal(folder, "pending", **INSIDE)
    assert said.code == 2
    assert "HITL_SERVICE is in-process" in said.error
    assert "Start your MCP client, or unset HITL_SERVICE" in said.error


async def test_a_bad_state_is_a_tool_error_in_plain_words_and_the_server_lives_on(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "hitl.db").write_bytes(b"garbage " * 1000)
    async with stdio_client(folder, **INSIDE) as client:
        result = await client.call_tool("list_loops", {})
        assert result.is_error
        assert "damaged" in str(result.content)
        (folder / "hitl.db").unlink()
        await ask_approval(client, "Now it works")
    assert services_of(folder) == []
