"""`hitl-mcp doctor` from the other side: with a key, against a team's server and against the (simulated) cloud."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.cloud.simulated import Cloud, served
from tests.served.machine import Machine, machine
from tests.served.team import free_port

pytestmark = pytest.mark.anyio

QUESTION: dict[str, Any] = {
    "processing_type": "deferred", "type": "markdown", "priority": "low", "request_text": "Ship?", "platform": "api",
    "response_type": "boolean", "response_config": {}, "default_response": False,
}  # fmt: skip


@pytest.fixture
async def server(folder: Path) -> AsyncGenerator[Machine]:
    """A team's server."""
    async with machine(folder, HITL_PUBLIC_URL="http://localhost:1", HITL_ALLOWED_HOSTS="127.0.0.1") as on:
        yield on


def elsewhere(folder: Path, **settings: str) -> Machine:
    """A machine with a key, and a data folder of its own."""
    return Machine(folder.parent / "mine", free_port(), folder.parent / "none.log", settings)


async def test_it_says_which_backend_what_the_key_may_do_and_who_answers(server: Machine) -> None:
    key = await server.key("--scope", "loops:read", "--scope", "requests:read", "--scope", "requests:write")
    mine = elsewhere(server.folder, HITL_API_KEY=key, HITL_BASE_URL=f"{server.url}/v1")
    said = await mine.run("doctor")
    assert f"ok    backend: server, a team's server at {server.url}, answers" in said
    assert "requests:write" in said and "ok    budget:" in said and "loop: Default: 1 active person" in said
    assert key not in said and not (mine.folder / "hitl.db").exists()


async def test_it_names_what_a_key_lacks_and_a_loop_that_is_not_there(server: Machine) -> None:
    key = await server.key("--scope", "loops:read")
    settings = {"HITL_API_KEY": key, "HITL_BASE_URL": server.url, "HITL_LOOP": "Legal"}
    said = await elsewhere(server.folder, **settings).run("doctor", code=1)
    assert "fail  key: it may not requests:read, requests:write" in said
    assert "fail  loop: HITL_LOOP 'Legal' is none of this key's loops: Default" in said


async def test_a_wrong_key_and_a_silent_address_are_told_apart(server: Machine) -> None:
    wrong = elsewhere(server.folder, HITL_API_KEY="hitl_wrong", HITL_BASE_URL=server.url)
    said = await wrong.run("doctor", code=1)
    assert "fail  key: HITL_API_KEY is not accepted" in said and "hitl_wrong" not in said
    silent = elsewhere(server.folder, HITL_API_KEY="hitl_x", HITL_BASE_URL=f"http://127.0.0.1:{free_port()}")
    said = await silent.run("doctor", code=1)
    assert "fail  backend: server" in said and "is not reachable" in said
    keyless = elsewhere(server.folder, HITL_BASE_URL=server.url)
    assert "HITL_API_KEY is not set" in await keyless.run("doctor", code=1)


async def test_it_says_why_a_request_waits(server: Machine) -> None:
    key = await server.key("--scope", "loops:read", "--scope", "requests:read", "--scope", "requests:write")
    mine = elsewhere(server.folder, HITL_API_KEY=key, HITL_BASE_URL=server.url)
    async with server.client(key) as http:
        loop = (await http.get("/v1/api/loops")).json()["data"]["loops"][0]["id"]
        asked = await http.post(f"/v1/api/loops/{loop}/requests", json=QUESTION | {"callback_url": "http://x.example"})
        request_id = asked.json()["data"]["request_id"]
        said = await mine.run("doctor", request_id)
        assert "request: waits: nobody has answered yet" in said and "can answer it" in said
        assert "warn  callback: http://x.example is not https" in said
        await http.delete(f"/v1/api/requests/{request_id}")
    assert "ok    request: closed: cancelled" in await mine.run("doctor", request_id)
    assert "there is no request" in await mine.run("doctor", "0" * 24, code=1)
    assert "is not a request id" in await mine.run("doctor", "mine", code=1)


async def test_commands_of_the_local_service_say_that_another_backend_is_chosen(folder: Path) -> None:
    mine = elsewhere(folder, HITL_API_KEY="hitl_live_x")
    for command in ("status", "start", "stop", "pending", "inbox"):
        said = await mine.run(command, code=2)
        assert "choose the HITL.sh cloud" in said and "hitl_live_x" not in said
    assert not mine.folder.exists()


async def test_the_cloud_is_named_with_its_budget_and_its_people(folder: Path) -> None:
    cloud = Cloud(time.time)
    key = cloud.new_key()
    loop = cloud.new_loop("Legal")
    empty = cloud.new_loop("Nobody")
    cloud.empty(empty)
    with served(cloud) as url:
        mine = elsewhere(folder, HITL_API_KEY=key, HITL_BASE_URL=url, HITL_BACKEND="cloud")
        said = await mine.run("doctor", code=1)
        assert f"ok    backend: cloud, the HITL.sh cloud at {url}, answers" in said and key not in said
        assert "of 100 calls left in this hour" in said
        assert "loop: Legal: 1 active person" in said and "fail  loop: Nobody: nobody answers here" in said
        request_id = cloud.ask(loop, key=key)
        assert "In the HITL.sh app" in await mine.run("doctor", request_id, code=1)
        cloud.spend(key, 100)
        said = await mine.run("doctor", code=1)
        assert "fail  budget:" in said
        assert httpx2.get(f"{url}/v1/test", headers={"Authorization": f"Bearer {key}"}).status_code == 429
