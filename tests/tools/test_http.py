"""What only HTTP has: keys, hosts, origins, sizes, sessions, connections that break, and an orderly end."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.types import CallToolResult

from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.local import ask
from hitl_mcp.tools.http import create_mcp_app
from tests.mcp_http import Face, Transport, face
from tests.tools.test_asking import ask_and_answer, only_open, refused, told
from tests.world import WAIT, Era, eventually

pytestmark = pytest.mark.anyio
WAYS = pytest.mark.parametrize(
    ("transport", "era"), [("http", "auto"), ("http", "legacy"), ("sse", "auto"), ("sse", "legacy")]
)
PATHS = [("POST", "/mcp"), ("GET", "/mcp"), ("GET", "/sse"), ("POST", "/messages/")]
MIB = 1_048_576
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


async def wait_for_one(client: Client, results: list[CallToolResult]) -> None:
    """A call that waits for a person for longer than any test."""
    results.append(await client.call_tool("request_human_approval", {"action": "Deploy", "wait_seconds": 600}))


async def new_key(served: Face, name: str) -> str:
    """Another API key, made by the machine's user."""
    body = {"name": name, "scopes": ["loops:read", "requests:read", "requests:write"]}
    return str((await ask(served.here.found.console(), "POST", "/v1/local/keys", body))["key"])


async def test_a_key_is_needed_and_the_answer_says_how_to_send_it(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with face(folder) as served, httpx2.AsyncClient(base_url=served.url, trust_env=False) as http:
        for method, path in PATHS:
            for given in (
                "",
                "Bearer",
                "Basic abc",
                "Bearer wrong-key-4711",
                "Bearer wrong key",
                "Bearer é",
            ):
                headers = [(b"authorization", given.encode("latin-1"))] if given else []
                answer = await http.request(method, path, headers=headers, json=INITIALIZE)
                assert answer.status_code == 401, f"{method} {path} {given}"
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert "resource_metadata" not in answer.headers["www-authenticate"], "there is no OAuth server"
                assert "Authorization: Bearer <api key>" in answer.json()["error_description"]
        assert "4711" not in caplog.text and served.key not in caplog.text
        assert (await http.get("/")).status_code == 404
        console = served.here.found.console().key
        assert (await http.get("/sse", headers={"Authorization": f"Bearer {console}"})).status_code == 401


async def test_other_hosts_and_origins_are_refused_on_every_path(folder: Path) -> None:
    async with face(folder) as served:
        for method, path in PATHS:
            async with served.http(Host="attacker.example") as http:
                assert (await http.request(method, path, json=INITIALIZE)).status_code == 421
            async with served.http(Origin="https://attacker.example") as http:
                assert (await http.request(method, path, json=INITIALIZE)).status_code == 403
        async with served.http(Origin=served.url, **ACCEPT) as http:
            assert (await http.post("/mcp", json=INITIALIZE)).status_code == 200


async def _chunks() -> AsyncIterator[bytes]:
    for _ in range(MIB // 65_536 + 1):
        yield b" " * 65_536


@pytest.mark.parametrize("path", ["/mcp", "/messages/"])
async def test_a_body_may_have_one_mebibyte(folder: Path, path: str) -> None:
    async with face(folder) as served, served.http(**ACCEPT) as http:
        json = {"Content-Type": "application/json"}
        assert (await http.post(path, content=b" " * (MIB + 1), headers=json)).status_code == 413
        assert (await http.post(path, content=_chunks(), headers=json)).status_code == 413
        assert (await http.post(path, content=b" " * MIB, headers=json)).status_code == 400


async def test_a_backend_that_is_down_is_not_a_wrong_key() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    class Nowhere:
        async def endpoint(self, failed: Endpoint | None = None) -> Endpoint:
            return Endpoint(f"http://127.0.0.1:{port}", "any", "http://localhost")

    app = create_mcp_app(lambda _: Nowhere(), allowed_hosts=["here"], allowed_origins=[])
    transport = httpx2.ASGITransport(app)
    async with app.running(), httpx2.AsyncClient(transport=transport, base_url="http://here") as http:
        answer = await http.post("/mcp", headers={"Authorization": "Bearer any"}, json=INITIALIZE)
    assert answer.status_code == 503 and answer.headers["retry-after"]
    assert "could not be checked" in answer.json()["error_description"]


@WAYS
async def test_a_result_that_arrived_is_recorded_as_delivered(folder: Path, transport: Transport, era: Era) -> None:
    async with face(folder) as served, served.client(transport, era) as client:
        decided = told(await ask_and_answer(folder, client, "request_human_approval", {"action": "Deploy"}, "approve"))

        async def delivered() -> bool:
            request = await served.here.agent.get_request(decided["request_id"])
            return request.first_delivered_at is not None

        await eventually(delivered)


@WAYS
async def test_the_same_question_twice_is_two_questions(folder: Path, transport: Transport, era: Era) -> None:
    async with face(folder) as served, served.client(transport, era) as client:
        arguments = {"action": "Deploy", "wait_seconds": 0}
        first = told(await client.call_tool("request_human_approval", arguments))
        second = told(await client.call_tool("request_human_approval", arguments))
        assert first["request_id"] != second["request_id"] and not second["joined"]


@WAYS
async def test_a_call_given_up_withdraws_nothing(folder: Path, transport: Transport, era: Era) -> None:
    async with face(folder) as served, served.client(transport, era) as client:
        results: list[CallToolResult] = []
        with anyio.CancelScope() as given_up:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait_for_one, client, results)
                await only_open(served.here.reviewer)
                given_up.cancel()
        request_id = await only_open(served.here.reviewer)
        await served.here.reviewer.answer(request_id, "approve")
        listed = await client.call_tool("list_requests", {})
        assert listed.structured_content is not None
        entry = listed.structured_content["requests"][0]
        assert entry["request_id"] == request_id and entry["collected"] is False
        decided = told(await client.call_tool("check_request", {"request_id": request_id}))
        assert decided["outcome"] == "approved"


@WAYS
async def test_a_broken_connection_withdraws_nothing_and_delivers_nothing(
    folder: Path, transport: Transport, era: Era
) -> None:
    results: list[CallToolResult] = []
    async with face(folder) as served:
        request_id = ""
        with anyio.CancelScope() as broken:
            async with served.client(transport, era) as client, anyio.create_task_group() as tasks:
                tasks.start_soon(wait_for_one, client, results)
                request_id = await only_open(served.here.reviewer)
                broken.cancel()
        assert await only_open(served.here.reviewer) == request_id
        await served.here.reviewer.answer(request_id, "approve")
        async with served.client(transport, era) as client:
            listed = await client.call_tool("list_requests", {})
            assert listed.structured_content is not None
            assert listed.structured_content["requests"][0]["collected"] is False
            assert told(await client.call_tool("check_request", {"request_id": request_id}))["approved"] is True


@WAYS
async def test_draining_gives_every_waiting_call_its_handle(folder: Path, transport: Transport, era: Era) -> None:
    results: list[CallToolResult] = []
    async with face(folder) as served, served.client(transport, era) as client:
        await client.list_tools()  # else the client asks for the schema when it has the result
        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(wait_for_one, client, results)

                async def all_wait() -> bool:
                    return len(await served.here.reviewer.open_requests()) == 3

                await eventually(all_wait)
                await served.app.drain()
            for result in results:
                handle = told(result)
                assert handle["outcome"] == "pending" and "check_request" in handle["message"]
            async with served.http(**ACCEPT) as http:
                assert (await http.post("/mcp", json=INITIALIZE)).status_code == 503


async def test_a_key_sees_its_own_requests_only(folder: Path) -> None:
    async with face(folder) as served:
        other_key = await new_key(served, "other")
        async with served.client("http") as mine, served.client("http", key=other_key) as other:
            made = told(await mine.call_tool("request_human_approval", {"action": "Deploy", "wait_seconds": 0}))
            for tool in ("check_request", "cancel_request"):
                words = refused(await other.call_tool(tool, {"request_id": made["request_id"]}))
                unknown = refused(await other.call_tool(tool, {"request_id": "0" * 24}))
                assert words == unknown.replace("0" * 24, made["request_id"])
            listed = await other.call_tool("list_requests", {})
            assert listed.structured_content is not None and listed.structured_content["requests"] == []
            still = told(await mine.call_tool("check_request", {"request_id": made["request_id"]}))
            assert still["outcome"] == "pending"


async def test_a_session_belongs_to_the_key_that_opened_it(folder: Path) -> None:
    async with face(folder) as served:
        other_key = await new_key(served, "other")
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        async with served.http(**ACCEPT) as mine, served.http(other_key, **ACCEPT) as other:
            session = (await mine.post("/mcp", json=INITIALIZE)).headers["mcp-session-id"]
            assert (await mine.post("/mcp", json=ping, headers={"Mcp-Session-Id": session})).status_code == 200
            stolen = await other.post("/mcp", json=ping, headers={"Mcp-Session-Id": session})
            unknown = await other.post("/mcp", json=ping, headers={"Mcp-Session-Id": "0" * 32})
            assert (stolen.status_code, stolen.text) == (unknown.status_code, unknown.text) == (404, unknown.text)
            async with mine.stream("GET", "/sse") as stream:
                messages = await _endpoint(stream)
                assert (await mine.post(messages, json=INITIALIZE)).status_code == 202
                stolen = await other.post(messages, json=ping)
                unknown = await other.post(f"/messages/?session_id={'0' * 32}", json=ping)
                assert (stolen.status_code, stolen.text) == (unknown.status_code, unknown.text) == (404, unknown.text)


async def _endpoint(stream: Any) -> str:
    async for line in stream.aiter_lines():
        if line.startswith("data: "):
            return str(line[6:])
    raise AssertionError("the stream named no endpoint")
