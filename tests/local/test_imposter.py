"""Another program takes the service's port while it is down (H14): nothing it says counts, what it hears is worthless.

A client never believes an answer without the folder's proof; the service comes back on another port with new keys.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import pytest
from anyio.abc import Listener, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from filelock import FileLock

from hitl_mcp.contract import routes
from hitl_mcp.contract.local import START_LOCK, ServiceState
from hitl_mcp.contract.outcome import APPROVAL_CONFIG
from hitl_mcp.errors import NotAuthorised
from hitl_mcp.sdk.local import ask, find
from tests.local.machine import ask_approval, check, kill_service, open_texts, start_service, terminal, text_of
from tests.world import WAIT, eventually, running_service, sign_in, stdio_client

pytestmark = pytest.mark.anyio

NOW, LATER = "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z"


def approved(request_id: str) -> dict[str, Any]:
    """What a client would take for a person's approval, but for the proof."""
    person = {"id": "a" * 24, "name": "The boss"}
    return {
        "id": request_id, "loop_id": "b" * 24, "creator_id": "a" * 24, "api_key_id": "c" * 24, "kind": "approval",
        "status": "completed", "revision": 1, "processing_type": "time-sensitive", "type": "markdown",
        "priority": "medium", "request_text": "Wait for me", "response_type": "single_select",
        "response_config": APPROVAL_CONFIG, "default_response": "reject", "platform": "api", "timeout_at": LATER,
        "created_at": NOW, "updated_at": NOW, "response_by": person["id"], "response_by_user": person,
        "response_at": NOW, "response_data": "approve", "decided_revision": 1, "decision": "approved",
        "response_channel": "inbox", "response_assurance": "same_machine_user",
    }  # fmt: skip


@dataclass
class Squatter:
    """Listens where the service was, writes down what it hears, and says that a person approved."""

    state: ServiceState
    way: str
    request_id: str = ""
    heard: list[str] = field(default_factory=list[str])

    async def serve(self, stream: SocketStream) -> None:
        """One connection."""
        with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.IncompleteRead):
            async with stream:
                reader = BufferedByteReceiveStream(stream)
                while True:
                    head = (await reader.receive_until(b"\r\n\r\n", 100_000)).decode("latin-1")
                    length = re.search(r"(?im)^content-length: (\d+)", head)
                    body = await reader.receive_exactly(int(length.group(1))) if length else b""
                    self.heard.append(f"{head}\n{body.decode()}")
                    await self.answer(head, stream)

    async def answer(self, head: str, stream: SocketStream) -> None:
        """Lie."""
        request = approved(self.request_id)
        data: dict[str, Any] = {
            "version": self.state.version, "contract": self.state.contract, "instance": self.state.instance,
            "request": request, "requests": [request], "status": "completed", "changes": [], "position": 1,
            "response_data": "approve",
        }  # fmt: skip
        body = json.dumps({"error": False, "msg": "ok", "data": data}).encode()
        kind, more = "application/json", ""
        if self.way == "stream" or routes.EVENTS_STREAM in head:
            change = {"position": 99, "request_id": self.request_id, "type": "completed", "status": "completed"}
            body = f"id: 99\nevent: ready\ndata: {{}}\n\nid: 99\nevent: change\ndata: {json.dumps(change)}\n\n".encode()
            kind = "text/event-stream"
        if self.way == "broken encoding":
            more = "Content-Encoding: gzip\r\n"
        elif self.way == "redirect":
            more = f"Location: http://127.0.0.1:{self.state.port}/elsewhere\r\n"
        status = "307 Temporary Redirect" if self.way == "redirect" else "200 OK"
        proof = f"X-HITL-Proof: {'0' * 64}\r\n"
        length = 10**9 if self.way == "never ends" else len(body)
        header = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}{proof}Content-Length: {length}\r\n\r\n"
        await stream.send(header.encode() + body)
        while self.way == "never ends":  # a byte now and then, so that no silence is ever long
            await anyio.sleep(0.2)
            await stream.send(b" ")

    @property
    def keys(self) -> set[str]:
        """The credentials that were sent to it."""
        return set(re.findall(r"(?im)^authorization: bearer (\S+)", "\n".join(self.heard)))


@asynccontextmanager
async def usurped(folder: Path, way: str) -> AsyncGenerator[Squatter]:
    """Kill the service and take its port, before any client can start another."""
    before = (await running_service(folder)).state
    squatter = Squatter(before, way)
    lock = FileLock(folder / START_LOCK, thread_local=False)
    await anyio.to_thread.run_sync(lambda: lock.acquire(timeout=WAIT))
    try:
        await kill_service(folder)

        async def take() -> Listener[SocketStream] | None:
            with contextlib.suppress(OSError):
                return (await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=before.port)).listeners[0]
            return None

        listener = await eventually(take)
    finally:
        lock.release()
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, squatter.serve)
        try:
            yield squatter
        finally:
            tasks.cancel_scope.cancel()


WAYS = ["a forged answer", "stream", "redirect", "broken encoding", "never ends"]


@pytest.mark.parametrize("way", ["a forged answer", "broken encoding", "never ends"])
async def test_a_squatter_on_the_port_decides_nothing(folder: Path, way: str) -> None:
    waited: list[dict[str, Any]] = []
    heard: set[str] = set()
    async with stdio_client(folder) as waiting, stdio_client(folder) as idle:

        async def wait() -> None:
            waited.append(await ask_approval(waiting, "Wait for me", wait_seconds=60))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            other_id = (await ask_approval(idle, "Something else"))["request_id"]

            async def asked() -> str | None:
                return (await open_texts(folder)).get("Wait for me")

            request_id = await eventually(asked)
            async with usurped(folder, way) as squatter:
                squatter.request_id = other_id
                seen = await check(idle, other_id)
                assert (seen["outcome"], seen["approved"]) == ("pending", False)
                squatter.request_id = request_id
                found = await running_service(folder)
                assert found.state.port != squatter.state.port
                assert f":{found.state.port}/" in seen["inbox"]
                assert not waited

                reviewer = await sign_in(found)
                await reviewer.answer(request_id, "reject")
                await reviewer.answer(other_id, "approve")
                assert (await check(idle, other_id))["approved"] is True

                async def has_waited() -> bool:
                    return bool(waited)

                await eventually(has_waited)
                heard |= squatter.keys
    assert (waited[0]["outcome"], waited[0]["approved"]) == ("rejected", False)
    assert heard, "the idle client had not noticed the death of the service"


async def test_what_a_squatter_heard_is_worthless_at_the_service_that_comes_back(folder: Path) -> None:
    async with stdio_client(folder) as client:
        request_id = (await ask_approval(client, "Hear me"))["request_id"]
        async with usurped(folder, "a forged answer") as squatter:
            await check(client, request_id)
            found = await running_service(folder)
            assert found.state.port != squatter.state.port
            agents_key = found.endpoint().key
            assert len(squatter.keys - {"none"}) == 1
            async with httpx2.AsyncClient(trust_env=False) as http:
                for key in squatter.keys:
                    headers = {"Authorization": f"Bearer {key}"}
                    for path in (routes.LOOPS, routes.REQUEST.format(request_id=request_id), routes.STATUS):
                        response = await http.get(found.address + path, headers=headers)
                        assert response.status_code == 401
            heard = "\n".join(squatter.heard)
            assert agents_key not in heard
            assert found.secret.hex() not in heard
            assert found.console().key not in heard


async def test_sessions_of_the_service_that_died_have_ended_when_its_port_was_taken(folder: Path) -> None:
    async with stdio_client(folder) as client:
        request_id = (await ask_approval(client, "Whose session?"))["request_id"]
        old = await sign_in(await running_service(folder))
        async with usurped(folder, "a forged answer"):
            await check(client, request_id)
            found = await running_service(folder)
            with pytest.raises(NotAuthorised):
                await ask(found.session(old.session.key), "GET", routes.REVIEWS)
            path = routes.REQUEST_RESPOND.format(request_id=request_id)
            with pytest.raises(NotAuthorised):
                body = {"response_data": "approve", "revision": 1}
                await ask(found.session(old.session.key), "POST", path, body)
        assert (await check(client, request_id))["outcome"] == "pending"


async def test_sessions_live_on_when_the_service_is_back_on_its_port_at_once(folder: Path) -> None:
    before = await start_service(folder)
    reviewer = await sign_in(before)
    await kill_service(folder)
    found = await start_service(folder)
    assert found.state.port == before.state.port
    await ask(found.session(reviewer.session.key), "GET", routes.REVIEWS)


async def test_a_squatter_is_not_taken_for_a_running_service(folder: Path) -> None:
    await start_service(folder)
    async with usurped(folder, WAYS[0]) as squatter:
        for way in WAYS:
            squatter.way = way
            with anyio.fail_after(WAIT):
                assert await find(folder) is None, way
        said = await terminal(folder, "status")
        assert (said.code, said.err) == (1, "")
        assert squatter.keys == {"none"}, "nothing secret is said to a stranger"


async def test_an_operators_port_that_was_taken_is_named_and_no_other_is_used(folder: Path) -> None:
    port = str((await start_service(folder)).state.port)
    async with stdio_client(folder, HITL_PORT=port) as client, usurped(folder, "a forged answer"):
        result = await client.call_tool("list_requests", {})
        assert result.is_error
        assert f"Port {port} (HITL_PORT) is taken" in text_of(result)


async def test_the_service_returns_to_its_new_port_and_says_so_in_its_log(folder: Path) -> None:
    await start_service(folder)
    async with usurped(folder, "a forged answer") as squatter:
        moved = (await start_service(folder)).state.port
        assert moved != squatter.state.port
        log = (folder / "service.log").read_text(encoding="utf-8")
        assert f"Port {squatter.state.port} is taken by another program; the service moved to port {moved}" in log
    await kill_service(folder)
    assert (await start_service(folder)).state.port == moved
