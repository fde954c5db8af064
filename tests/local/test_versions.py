"""Two versions on one machine (H27): each client pins its own, and all speak to one service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from hitl_mcp import __version__
from tests.conftest import services_of
from tests.local.machine import (
    ask_approval,
    check,
    fields_of,
    is_alive,
    open_texts,
    other_version,
    start_by_hand,
    stdio_in,
    terminal,
    text_of,
)
from tests.world import end_service, eventually, running_service, sign_in, stdio_client

pytestmark = pytest.mark.anyio


async def test_an_older_service_is_drained_and_replaced_with_its_open_requests_kept(
    folder: Path, tmp_path: Path
) -> None:
    old = other_version(tmp_path / "old", version="0.0.9")
    results: list[dict[str, Any]] = []
    async with stdio_in(tmp_path, folder, PYTHONPATH=old) as old_client:

        async def wait() -> None:
            results.append(await ask_approval(old_client, "Asked by the old one", wait_seconds=60))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)

            async def asked() -> str | None:
                if not (folder / "service.json").exists():
                    return None
                return (await open_texts(folder)).get("Asked by the old one")

            request_id = await eventually(asked)
            before = await running_service(folder)
            assert before.version == "0.0.9"

            async with stdio_client(folder) as client:
                listed = fields_of(await client.call_tool("list_requests", {}))["requests"]
                assert [item["request_id"] for item in listed] == [request_id]
                found = await running_service(folder)
                assert (found.version, is_alive(before.state.pid)) == (__version__, False)
                assert found.state.port == before.state.port, "open pages find it again"
                log = (folder / "service.log").read_text(encoding="utf-8")
                assert "Traceback" not in log

                reviewer = await sign_in(found)
                await reviewer.answer(request_id, "approve")
                assert (await check(client, request_id))["approved"] is True
        assert results[0]["approved"] is True, "the older client's waiting call went on with the newer service"
        assert (await check(old_client, results[0]["request_id"]))["approved"] is True
        assert (await running_service(folder)).version == __version__, "the older client replaced nothing"


async def test_an_older_service_inside_an_agents_process_is_replaced_as_well(folder: Path, tmp_path: Path) -> None:
    old = other_version(tmp_path / "old", version="0.0.9")
    async with stdio_in(tmp_path, folder, PYTHONPATH=old, HITL_SERVICE="in-process") as old_client:
        request_id = (await ask_approval(old_client, "Inside"))["request_id"]
        assert (await running_service(folder)).version == "0.0.9"
        async with stdio_client(folder) as client:
            assert (await check(client, request_id))["outcome"] == "pending"
            found = await running_service(folder)
            assert (found.version, found.state.hosted_by) == (__version__, "background")
            assert (await check(old_client, request_id))["outcome"] == "pending"
            assert (await running_service(folder)).state == found.state


async def test_a_newer_service_of_the_same_contract_is_used(folder: Path, tmp_path: Path) -> None:
    new = other_version(tmp_path / "new", version="9.9.9")
    assert await start_by_hand(folder, PYTHONPATH=new) == {"ready": True}
    before = await running_service(folder)
    assert before.version == "9.9.9"
    async with stdio_client(folder) as client:
        result = await ask_approval(client, "Newer is fine")
    status = await terminal(folder, "status")
    assert "version 9.9.9," in status.out
    assert await open_texts(folder) == {"Newer is fine": result["request_id"]}
    assert (await running_service(folder)).state == before.state


async def test_a_service_of_a_later_contract_is_refused_with_words_and_left_alone(folder: Path, tmp_path: Path) -> None:
    new = other_version(tmp_path / "new", version="9.9.9", contract=2)
    assert await start_by_hand(folder, PYTHONPATH=new) == {"ready": True}
    before = await running_service(folder)

    said = await terminal(folder, "pending")
    assert said.code == 2
    async with stdio_client(folder) as client:
        result = await client.call_tool("request_human_approval", {"action": "Anything", "wait_seconds": 0})
    assert result.is_error
    assert text_of(result) == said.error
    for word in ("9.9.9", __version__, "Update this hitl-mcp", "hitl-mcp stop"):
        assert word in said.error

    assert [process.pid for process in services_of(folder)] == [before.state.pid]
    await end_service(folder)
    async with stdio_client(folder) as client:
        await ask_approval(client, "As the words advised")
    assert (await running_service(folder)).version == __version__
