"""Requests and loops as resources, and how clients of both eras hear that a request has changed."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPDeprecationWarning, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import (
    INVALID_PARAMS,
    PromptReference,
    ResourceTemplateReference,
    ResourceUpdatedNotification,
    ServerNotification,
    TextResourceContents,
)

from hitl_mcp.contract import routes
from hitl_mcp.sdk.local import ask
from tests.mcp_http import Face, Transport, face, mcp_client
from tests.tools.test_asking import TRANSPORTS, WAYS, reviewer_of, told
from tests.world import WAIT, Era, environment, eventually, stdio_client

pytestmark = pytest.mark.anyio


async def read(client: Client, uri: str) -> dict[str, Any]:
    """A resource's JSON."""
    result = await client.read_resource(uri)
    content = result.contents[0]
    assert isinstance(content, TextResourceContents) and content.mime_type == "application/json"
    return json.loads(content.text)


async def asked(client: Client) -> str:
    """A request, by its id."""
    made = told(await client.call_tool("request_human_approval", {"action": "Deploy", "wait_seconds": 0}))
    return str(made["request_id"])


async def other_key(served: Face) -> str:
    """Another API key of the same account."""
    body = {"name": "other", "scopes": ["loops:read", "requests:read", "requests:write"]}
    return str((await ask(served.here.found.console(), "POST", routes.KEYS, body))["key"])


@WAYS
async def test_requests_and_loops_are_read_as_they_stand(folder: Path, transport: Transport, era: Era) -> None:
    async with mcp_client(folder, transport, era) as client:
        assert [str(resource.uri) for resource in (await client.list_resources()).resources] == ["hitl://loops"]
        templates = [entry.uri_template for entry in (await client.list_resource_templates()).resource_templates]
        assert templates == ["hitl://requests/{request_id}", "hitl://loops/{loop_id}"]
        loops = await read(client, "hitl://loops")
        loop = await read(client, f"hitl://loops/{loops['loops'][0]['id']}")
        assert loop["name"] == "Default" and loop["people"]
        request_id = await asked(client)
        waiting = await read(client, f"hitl://requests/{request_id}")
        assert waiting["outcome"] == "pending" and waiting["question"] == "Deploy"
        await (await reviewer_of(folder)).answer(request_id, "approve")
        decided = await read(client, f"hitl://requests/{request_id}")
        assert decided["approved"] is True and decided["loop_id"] == loop["id"]
        result = await client.read_resource(f"hitl://requests/{request_id}")
        assert result.ttl_ms == 0 and result.cache_scope == "private"

        async def collected() -> bool:
            listed = await client.call_tool("list_requests", {})
            assert listed.structured_content is not None
            return listed.structured_content["requests"][0]["collected"]

        await eventually(collected)


@TRANSPORTS
async def test_what_is_not_there_is_refused_with_what_is(folder: Path, transport: Transport) -> None:
    async with mcp_client(folder, transport) as client:
        for uri in (f"hitl://requests/{'0' * 24}", "hitl://requests/abc", f"hitl://loops/{'0' * 24}", "hitl://people"):
            with pytest.raises(MCPError) as failed:
                await client.read_resource(uri)
            assert failed.value.code == INVALID_PARAMS
            assert uri in str(failed.value) and "hitl://requests/{request_id}" in str(failed.value)


async def test_another_keys_request_is_neither_read_nor_heard_of_nor_completed(folder: Path) -> None:
    async with face(folder) as served:
        key = await other_key(served)
        async with served.client("http") as mine, served.client("http", key=key) as other:
            uri = f"hitl://requests/{await asked(mine)}"
            with pytest.raises(MCPError, match="There is no resource"):
                await other.read_resource(uri)
            async with other.listen(resource_subscriptions=[uri]) as heard:
                assert not heard.honored.resource_subscriptions
            template = ResourceTemplateReference(uri="hitl://requests/{request_id}")
            found = await other.complete(template, {"name": "request_id", "value": ""})
            assert found.completion.values == []
        async with served.client("http", "legacy", key=key) as other:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MCPDeprecationWarning)
                with pytest.raises(MCPError, match="There is no resource"):
                    await other.subscribe_resource(uri)  # pyright: ignore[reportDeprecated]


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_a_client_that_listens_hears_of_a_change(folder: Path, transport: Transport) -> None:
    async with mcp_client(folder, transport) as client:
        request_id = await asked(client)
        uri = f"hitl://requests/{request_id}"
        reviewer = await reviewer_of(folder)
        async with client.listen(resource_subscriptions=[uri, f"hitl://requests/{'0' * 24}"]) as heard:
            assert heard.honored.resource_subscriptions == [uri]
            await reviewer.answer(request_id, "reject")
            with anyio.fail_after(WAIT):
                event = await anext(heard)
            assert getattr(event, "uri", None) == uri
            assert (await read(client, uri))["outcome"] == "rejected"


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_an_older_client_that_subscribes_hears_of_a_change(folder: Path, transport: Transport) -> None:
    heard: list[str] = []

    async def hear(message: ServerNotification | Exception | object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            heard.append(str(message.params.uri))

    async def story(client: Client) -> None:
        first, second = (
            await asked(client),
            str(
                told(await client.call_tool("request_human_approval", {"action": "More", "wait_seconds": 0}))[
                    "request_id"
                ]
            ),
        )
        reviewer = await reviewer_of(folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            for request_id in (first, first, second):
                await client.subscribe_resource(f"hitl://requests/{request_id}")  # pyright: ignore[reportDeprecated]
            await client.unsubscribe_resource(f"hitl://requests/{first}")  # pyright: ignore[reportDeprecated]
        await reviewer.answer(first, "approve")
        await reviewer.answer(second, "approve")

        async def some() -> bool:
            return bool(heard)

        await eventually(some)
        assert heard == [f"hitl://requests/{second}"]

    if transport == "stdio":
        server = StdioServerParameters(command=sys.executable, args=["-m", "hitl_mcp"], env=environment(folder))
        async with Client(server, mode="legacy", message_handler=hear) as client:
            assert client.server_capabilities.resources and client.server_capabilities.resources.subscribe
            await story(client)
        return
    async with face(folder) as served, served.http() as http:
        connection = streamable_http_client(f"{served.url}/mcp", http_client=http)
        async with Client(connection, mode="legacy", message_handler=hear) as client:
            await story(client)


async def test_draining_ends_streams_at_once(folder: Path) -> None:
    async with face(folder) as served, served.client("http") as client:
        uri = f"hitl://requests/{await asked(client)}"
        async with client.listen(resource_subscriptions=[uri]) as heard:
            assert heard.honored.resource_subscriptions == [uri]
            with anyio.fail_after(4.0):  # a call that goes on would hold it for five seconds
                await served.app.drain()


@TRANSPORTS
async def test_loops_and_requests_are_completed(folder: Path, transport: Transport) -> None:
    async with mcp_client(folder, transport) as client:
        request_id = await asked(client)
        loop = (await read(client, "hitl://loops"))["loops"][0]

        async def values(ref: PromptReference | ResourceTemplateReference, name: str, begun: str) -> list[str]:
            return (await client.complete(ref, {"name": name, "value": begun})).completion.values

        template = ResourceTemplateReference(uri="hitl://requests/{request_id}")
        assert await values(template, "request_id", request_id[:4]) == [request_id]
        assert await values(template, "request_id", "zz") == []
        assert await values(ResourceTemplateReference(uri="hitl://loops/{loop_id}"), "loop_id", "") == [loop["id"]]
        prompt = PromptReference(name="approve_critical_action")
        assert await values(prompt, "loop", "def") == ["Default"]
        assert await values(prompt, "action", "") == []


async def test_the_compat_tools_stand_alone(folder: Path) -> None:
    async with stdio_client(folder, HITL_TOOLS="compat") as client:
        assert (await client.list_resources()).resources == []
        assert (await client.list_prompts()).prompts == []
