"""The default tools on the HITL.sh cloud: a real stdio server with a key, against the simulated cloud."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult

from tests.cloud.simulated import Cloud, Manners, served
from tests.world import WAIT, environment, eventually

pytestmark = pytest.mark.anyio

APPROVAL: dict[str, Any] = {"action": "Deploy 1.4", "reason": "It is tested", "details": "`deploy`", "wait_seconds": 30}


@dataclass
class Sky:
    """A cloud with one key and one loop, and the folder of the machine that uses it."""

    cloud: Cloud
    key: str
    loop: str
    url: str
    folder: Path

    @property
    def stderr(self) -> Path:
        """Where the stdio server's log goes."""
        return self.folder.parent / "stderr.log"

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Client]:
        """A real MCP client of our real stdio server."""
        settings = {"HITL_API_KEY": self.key, "HITL_BASE_URL": self.url, "HITL_BACKEND": "cloud"}
        env = environment(self.folder, **settings)
        arguments = ["-m", "hitl_mcp"]
        with self.stderr.open("a", encoding="utf-8") as log:
            server = StdioServerParameters(command=sys.executable, args=arguments, env=env)
            async with Client(stdio_client(server, errlog=log)) as client:
                yield client

    async def only(self) -> str:
        """The one request there is."""

        async def look() -> str | None:
            return next(iter(self.cloud.requests), None)

        return await eventually(look)


@pytest.fixture
def sky(tmp_path: Path) -> Generator[Sky]:
    """A served cloud."""
    cloud = Cloud(time.time)
    with served(cloud) as url:
        yield Sky(cloud, cloud.new_key(), cloud.new_loop(), url, tmp_path / "data")


def told(result: CallToolResult) -> dict[str, Any]:
    """The structured result of a call that was not an error."""
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


def words(result: CallToolResult) -> str:
    """The text of a result."""
    return str(getattr(result.content[0], "text", ""))


async def decided(sky: Sky, client: Client, value: Any) -> dict[str, Any]:
    """Ask for an approval and let a person answer meanwhile."""
    results: list[CallToolResult] = []

    async def call() -> None:
        results.append(await client.call_tool("request_human_approval", APPROVAL))

    with anyio.fail_after(WAIT * 3):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            sky.cloud.answer(await sky.only(), value)
    return told(results[0])


@pytest.mark.parametrize(
    ("manners", "value", "outcome"),
    [
        (Manners(), "Approve", "approved"),
        (Manners(), "Reject", "rejected"),
        (Manners(), "Needs Changes", "needs_changes"),
    ],
)
async def test_a_persons_decision_in_the_app_reaches_the_agent(
    sky: Sky, manners: Manners, value: str, outcome: str
) -> None:
    sky.cloud.manners = manners
    async with sky.client() as client:
        result = await decided(sky, client, value)
    assert result["outcome"] == outcome and result["approved"] is (outcome == "approved")
    assert result["backend"] == "cloud" and result["decided_by"]
    assert sky.key not in str(result) and sky.key not in sky.stderr.read_text()
    assert all(sky.key not in path.read_bytes().decode("latin-1") for path in sky.folder.rglob("*") if path.is_file())


async def test_a_question_that_waits_says_where_people_answer_and_how_late_it_is_seen(sky: Sky) -> None:
    async with sky.client() as client:
        handle = await client.call_tool("request_human_approval", APPROVAL | {"wait_seconds": 0})
        assert told(handle)["outcome"] == "pending"
        assert "HITL.sh app" in words(handle) and "seconds" in words(handle) and "check_request" in words(handle)
        request_id = told(handle)["request_id"]
        listed = told(await client.call_tool("list_requests", {}))
        assert [one["request_id"] for one in listed["requests"]] == [request_id] and listed["backend"] == "cloud"
        loops = told(await client.call_tool("list_loops", {}))
        assert loops["backend"] == "cloud" and loops["loops"][0]["id"] == sky.loop
        gone = told(await client.call_tool("cancel_request", {"request_id": request_id}))
        assert gone["outcome"] == "cancelled" and gone["approved"] is False
        assert sky.cloud.requests[request_id].status == "cancelled"


async def test_checking_again_and_again_spends_nothing(sky: Sky) -> None:
    async with sky.client() as client:
        made = told(await client.call_tool("request_human_approval", APPROVAL | {"wait_seconds": 0}))
        before = len(sky.cloud.calls)
        for _ in range(20):
            checked = await client.call_tool("check_request", {"request_id": made["request_id"]})
            assert told(checked)["outcome"] == "pending"
        assert len(sky.cloud.calls) - before <= 3


async def test_when_the_budget_is_gone_a_question_is_refused_with_the_time_it_comes_back(sky: Sky) -> None:
    async with sky.client() as client:
        await client.call_tool("list_loops", {})
        sky.cloud.spend(sky.key, 100)
        refused = await client.call_tool("request_human_approval", APPROVAL | {"wait_seconds": 0})
        assert refused.is_error and "UTC" in words(refused) and not sky.cloud.requests
        assert "not" in words(refused).lower() and sky.key not in words(refused)


async def test_what_the_cloud_needs_is_said_before_anything_is_sent(sky: Sky) -> None:
    async with sky.client() as client:
        question: dict[str, Any] = {"question": "Blue?", "response_type": "boolean", "wait_seconds": 0}
        refused = await client.call_tool("ask_human", question)
        assert refused.is_error and "default_response" in words(refused) and not sky.cloud.requests
        assert told(await client.call_tool("ask_human", question | {"default_response": False}))["outcome"] == "pending"
