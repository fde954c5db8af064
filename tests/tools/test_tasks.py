"""The tasks extension: a call that asks is answered with a task, which is a view of the request."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.extension import ClaimContext, ClientExtension, NotificationBinding, ResultClaim
from mcp.client.streamable_http import streamable_http_client
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolResult,
    Request,
    Result,
    SubscriptionFilter,
    SubscriptionsListenRequest,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
)
from pydantic import BaseModel, ConfigDict

from hitl_mcp.contract import routes
from hitl_mcp.sdk.local import ask
from tests.mcp_http import Face, Transport, face
from tests.tools.test_asking import refused, reviewer_of, told
from tests.world import WAIT, end_service, environment, eventually, stdio_client

pytestmark = pytest.mark.anyio
TASKS = "io.modelcontextprotocol/tasks"
BOTH = pytest.mark.parametrize("transport", ["stdio", "http"])


class Task(Result):
    """The answer to a call."""

    model_config = ConfigDict(extra="allow")

    result_type: Literal["task"] = "task"
    taskId: str  # noqa: N815  # as on the wire


class Anything(BaseModel):
    """A result or notification as it came."""

    model_config = ConfigDict(extra="allow")

    @property
    def fields(self) -> dict[str, Any]:
        """By their names on the wire."""
        return self.model_extra or {}


class OfTask(Request[dict[str, Any], str]):
    """`tasks/get` and its like."""

    name_param = "taskId"


class Tasks(ClientExtension):
    """A client that knows tasks, and shows each step."""

    identifier = TASKS

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def claims(self) -> Sequence[ResultClaim[Any]]:
        """Tasks are shown as they come."""

        async def resolve(task: Task, ctx: ClaimContext) -> CallToolResult:
            raise AssertionError(f"{ctx.tool_name} is asked for its task, {task.taskId}")

        return [ResultClaim(result_type="task", model=Task, resolve=resolve)]

    def notifications(self) -> Sequence[NotificationBinding[Any]]:
        """All that is said of tasks."""

        async def hear(params: Anything) -> None:
            self.told.append(params.fields)

        return [NotificationBinding(method="notifications/tasks", params_type=Anything, handler=hear)]


@asynccontextmanager
async def over_http(served: Face, key: str | None = None) -> AsyncGenerator[tuple[Client, Tasks]]:
    """A client that knows tasks."""
    tasks = Tasks()
    async with served.http(key) as http:
        transport = streamable_http_client(f"{served.url}/mcp", http_client=http)
        async with Client(transport, extensions=[tasks]) as client:
            yield client, tasks


@asynccontextmanager
async def over_stdio(folder: Path) -> AsyncGenerator[tuple[Client, Tasks]]:
    """The same, of a server of its own."""
    tasks = Tasks()
    server = StdioServerParameters(command=sys.executable, args=["-m", "hitl_mcp"], env=environment(folder))
    async with Client(server, extensions=[tasks]) as client:
        yield client, tasks


@asynccontextmanager
async def tasks_client(folder: Path, transport: Transport) -> AsyncGenerator[tuple[Client, Tasks]]:
    """Over any transport."""
    if transport == "stdio":
        async with over_stdio(folder) as pair:
            yield pair
    else:
        async with face(folder) as served, over_http(served) as pair:
            yield pair


async def do(client: Client, method: str, task_id: str, **more: Any) -> dict[str, Any]:
    """One request of the extension."""
    request = OfTask(method=method, params={"taskId": task_id, **more})
    return (await client.session.send_request(request, Anything)).fields


async def new_task(client: Client, tool: str = "request_human_approval", **more: Any) -> dict[str, Any]:
    """Ask, and get the task."""
    arguments = more or {"action": "Deploy"}
    task = await client.session.call_tool(tool, arguments, allow_claimed=True)
    assert isinstance(task, Task)
    return {**(task.model_extra or {}), "taskId": task.taskId}


@BOTH
async def test_a_call_is_answered_with_a_task_that_ends_with_the_decision(folder: Path, transport: Transport) -> None:
    async with tasks_client(folder, transport) as (client, _):
        with anyio.fail_after(WAIT):
            task = await new_task(client, action="Deploy", wait_seconds=600)
        assert task["status"] == "working" and "http://localhost:" in task["statusMessage"]
        assert task["ttlMs"] > 86_400_000 and task["pollIntervalMs"] >= 1000
        reviewer = await reviewer_of(folder)
        assert [request.id for request in await reviewer.open_requests()] == [task["taskId"]], "durable before the task"
        assert (await do(client, "tasks/get", task["taskId"]))["status"] == "working"
        assert set(await do(client, "tasks/update", task["taskId"], inputResponses={})) == {"resultType", "_meta"}
        await reviewer.answer(task["taskId"], "approve")

        async def collected() -> list[bool]:
            listed = await client.call_tool("list_requests", {})
            assert listed.structured_content is not None
            return [entry["collected"] for entry in listed.structured_content["requests"]]

        assert await collected() == [False]
        done = await do(client, "tasks/get", task["taskId"])
        assert done["status"] == "completed" and done["createdAt"] == task["createdAt"]
        result = told(CallToolResult.model_validate(done["result"]))
        assert result["approved"] is True and result["request_id"] == task["taskId"]

        async def recorded() -> bool:
            return await collected() == [True]

        await eventually(recorded)


@BOTH
async def test_a_no_is_a_completed_task(folder: Path, transport: Transport) -> None:
    async with tasks_client(folder, transport) as (client, _):
        task = await new_task(client)
        await (await reviewer_of(folder)).answer(task["taskId"], "reject")
        done = await do(client, "tasks/get", task["taskId"])
        assert done["status"] == "completed" and done["result"]["structuredContent"]["approved"] is False


@BOTH
async def test_cancelling_a_task_withdraws_its_request(folder: Path, transport: Transport) -> None:
    async with tasks_client(folder, transport) as (client, _):
        task = await new_task(client, "ask_human", question="Why?", response_type="text")
        for _ in range(2):
            assert set(await do(client, "tasks/cancel", task["taskId"])) == {"resultType", "_meta"}
        gone = await do(client, "tasks/get", task["taskId"])
        assert gone["status"] == "cancelled" and "result" not in gone
        assert await (await reviewer_of(folder)).open_requests() == []


async def test_a_task_outlives_the_server_and_the_service(folder: Path) -> None:
    async with over_stdio(folder) as (client, _):
        task = await new_task(client)
    await (await reviewer_of(folder)).answer(task["taskId"], "approve")
    async with over_stdio(folder) as (client, _):
        await end_service(folder)
        done = await do(client, "tasks/get", task["taskId"])
        assert done["result"]["structuredContent"]["approved"] is True


async def test_another_keys_task_is_not_found(folder: Path) -> None:
    async with face(folder) as served:
        body = {"name": "other", "scopes": ["loops:read", "requests:read", "requests:write"]}
        other_key = str((await ask(served.here.found.console(), "POST", routes.KEYS, body))["key"])
        async with over_http(served) as (mine, _), over_http(served, other_key) as (other, _):
            task = await new_task(mine)
            for method in ("tasks/get", "tasks/update", "tasks/cancel"):
                words: list[str] = []
                for task_id in (task["taskId"], "0" * 24):
                    with pytest.raises(MCPError) as failed:
                        await do(other, method, task_id, inputResponses={})
                    words.append(str(failed.value).replace(task_id, ""))
                assert words[0] == words[1] and "There is no task" in words[0]
            assert (await do(mine, "tasks/get", task["taskId"]))["status"] == "working"


@BOTH
async def test_clients_hear_of_their_own_tasks(folder: Path, transport: Transport) -> None:
    async with tasks_client(folder, transport) as (client, tasks):
        task = await new_task(client)
        wanted = SubscriptionFilter.model_validate({"taskIds": [task["taskId"], "0" * 24]})
        request = SubscriptionsListenRequest(params=SubscriptionsListenRequestParams(notifications=wanted))
        reviewer = await reviewer_of(folder)
        async with anyio.create_task_group() as running:
            running.start_soon(client.session.send_request, request, SubscriptionsListenResult)

            async def claimed() -> bool:
                await reviewer.do(routes.REQUEST_CLAIM, task["taskId"])
                await reviewer.do(routes.REQUEST_RELEASE, task["taskId"])
                return bool(tasks.told)

            await eventually(claimed)
            assert {entry["status"] for entry in tasks.told} == {"working"}
            await reviewer.answer(task["taskId"], "approve")

            async def over() -> bool:
                return tasks.told[-1]["status"] == "completed"

            await eventually(over)
            running.cancel_scope.cancel()
        last = tasks.told[-1]
        assert last["result"]["structuredContent"]["approved"] is True and last["taskId"] == task["taskId"]


async def test_wrong_arguments_make_no_task(folder: Path) -> None:
    async with over_stdio(folder) as (client, _):
        assert "action" in refused(await client.call_tool("request_human_approval", {}))


async def test_a_client_without_tasks_gets_results_and_learns_what_is_missing(folder: Path) -> None:
    async with stdio_client(folder) as client:
        made = told(await client.call_tool("request_human_approval", {"action": "Deploy", "wait_seconds": 0}))
        with pytest.raises(MCPError) as failed:
            await do(client, "tasks/get", made["request_id"])
        assert failed.value.code == MISSING_REQUIRED_CLIENT_CAPABILITY


async def test_the_compat_tools_have_no_tasks(folder: Path) -> None:
    async with stdio_client(folder, HITL_TOOLS="compat") as compat, stdio_client(folder) as client:
        assert TASKS in (client.server_capabilities.extensions or {})
        assert TASKS not in (compat.server_capabilities.extensions or {})
