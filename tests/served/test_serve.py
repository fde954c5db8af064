"""`hitl-mcp serve` as a process: its keys, hosts, logs, MCP over HTTP, and an end that breaks no call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from hitl_mcp.contract import routes
from tests.served.machine import Machine, machine
from tests.tools.test_asking import told
from tests.world import WAIT, Era

pytestmark = pytest.mark.anyio


async def first_loop(http: Any) -> str:
    """The server's own loop."""
    return str((await http.get(routes.LOOPS)).json()["data"]["loops"][0]["id"])


async def test_a_key_is_shown_once_works_until_revoked_and_does_what_it_was_granted(folder: Path) -> None:
    async with machine(folder) as on:
        made = await on.run("keys", "create", "deploy bot", "--scope", "loops:read", "--for", "Ada@Example.com")
        key = made.split()[1]
        assert key.startswith("hitl_live_") and made.count(key) == 2 and "ada@example.com" in made
        listed = await on.run("keys", "list")
        assert "deploy bot" in listed and "active" in listed and key not in listed
        async with on.client(key) as http:
            known = (await http.get(routes.KEY_TEST)).json()["data"]
            assert (known["email"], known["permissions"]) == ("ada@example.com", ["loops:read"])
            lacking = await http.get(routes.REQUESTS)
            assert lacking.status_code == 403 and "requests:read" in lacking.json()["msg"]
            await on.run("keys", "revoke", known["api_key_id"])
            with anyio.fail_after(WAIT):
                while (gone := await http.get(routes.KEY_TEST)).status_code == 200:
                    await anyio.sleep(0.1)
            assert (gone.status_code, gone.json()["msg"]) == (401, "API key is inactive")
        assert "revoked" in await on.run("keys", "list")
        assert "There is no such key" in await on.run("keys", "revoke", "0" * 24, code=2)
        assert (await on.run("status")).startswith("Team server: running")
        assert key not in on.log.read_text()


async def test_a_key_limited_to_a_loop_reaches_no_other(folder: Path) -> None:
    async with machine(folder) as on:
        async with on.client(await on.key("--scope", "loops:write", "--scope", "loops:read")) as owner:
            own = await first_loop(owner)
            other = (await owner.post(routes.LOOPS, json={"name": "Other", "icon": "bell"})).json()["data"]["loop"][
                "id"
            ]
        async with on.client(await on.key("--loop", own)) as limited:
            assert [loop["id"] for loop in (await limited.get(routes.LOOPS)).json()["data"]["loops"]] == [own]
            body = {"request_text": "?", "response_type": "boolean"}
            assert (await limited.post(routes.LOOP_REQUESTS.format(loop_id=own), json=body)).status_code == 201
            refused = await limited.post(routes.LOOP_REQUESTS.format(loop_id=other), json=body)
            assert (refused.status_code, refused.json()["msg"]) == (403, "Access denied to this loop")


async def test_only_known_hosts_are_served_and_health_anywhere(folder: Path) -> None:
    more = {"HITL_PUBLIC_URL": "https://hitl.example.com", "HITL_ALLOWED_HOSTS": "hitl.internal,10.1.2.3:80"}
    async with machine(folder, **more) as on, on.client(await on.key()) as http:
        served = {
            "hitl.example.com": True, "hitl.internal": True, "hitl.internal:8443": True, "10.1.2.3:80": True,
            "10.1.2.3:81": False, "evil.example": False, "hitl.example.com.evil.example": False, "": False,
            "hitl.example.com:8000": False, f"localhost:{on.port}": True, f"127.0.0.1:{on.port}": True,
        }  # fmt: skip
        for host, expected in served.items():
            for path in (routes.LOOPS, "/mcp"):
                answer = await http.get(path, headers={"Host": host})
                assert (answer.status_code != 421) == expected, (host, path, answer.text)
            assert (await http.get("/health", headers={"Host": host})).status_code == 200, host
            assert (await http.get("/ready", headers={"Host": host})).status_code == 200, host
        inbox = await http.get("/sign-in", headers={"Host": "hitl.example.com"})
        assert inbox.status_code == 200 and "Sign in" in inbox.text
        assert (await http.get("/sign-in", headers={"Host": "hitl.internal"})).status_code == 421
        signed = await http.post("/sign-in", headers={"Host": "hitl.example.com", "Origin": "null"}, data={"code": "x"})
        assert signed.status_code == 403, "only a file on the same machine has no origin"
        foreign = await http.post(
            "/mcp", headers={"Host": "hitl.example.com", "Origin": "https://evil.example"}, json={}
        )
        assert foreign.status_code == 403
        printed = await on.run("doctor", code=1)
        assert "fail  address: https://hitl.example.com does not answer from here" in printed


@pytest.mark.parametrize(
    ("transport", "era"),
    [("http", "auto"), pytest.param("http", "legacy", marks=pytest.mark.nightly), ("sse", "legacy")],
)
async def test_sigterm_gives_every_waiting_call_its_handle(folder: Path, transport: str, era: Era) -> None:
    async with machine(folder) as on:
        key = await on.key()
        results: list[Any] = []
        waits: list[Any] = []

        async with on.mcp(key, transport, era) as client, on.client(key) as http, anyio.create_task_group() as tasks:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"request_human_approval", "list_loops", "check_request"} <= names
            created = await http.post(
                routes.LOOP_REQUESTS.format(loop_id=await first_loop(http)),
                json={"kind": "approval", "request_text": "REST?"},
            )

            async def call() -> None:
                arguments = {"action": "Deploy", "wait_seconds": 300}
                results.append(told(await client.call_tool("request_human_approval", arguments)))

            async def wait() -> None:
                path = routes.REQUEST_WAIT.format(request_id=created.json()["data"]["request_id"])
                waits.append(await http.get(path, params={"timeout": 300}))

            tasks.start_soon(call)
            tasks.start_soon(wait)
            with anyio.fail_after(WAIT):
                while (await http.get(routes.REQUESTS)).json()["data"]["total"] < 2:
                    await anyio.sleep(0.05)
            assert await on.stop() == 0
            with anyio.fail_after(WAIT):
                while not (results and waits):
                    await anyio.sleep(0.05)
            tasks.cancel_scope.cancel()
        assert (results[0]["outcome"], results[0]["approved"]) == ("pending", False)
        assert waits[0].status_code == 408 and waits[0].json()["data"]["pending"] is True

        await on.start()
        async with on.mcp(key, transport, era) as client:
            again = told(await client.call_tool("check_request", {"request_id": results[0]["request_id"]}))
            assert again["outcome"] == "pending"


async def test_the_log_is_json_with_the_callers_id_and_no_secret(folder: Path) -> None:
    async with machine(folder) as on:
        key = await on.key("--scope", "loops:write", "--scope", "requests:write", "--scope", "loops:read")
        async with on.client(key) as http:
            made = (await http.post(routes.LOOPS, json={"name": "Quiet", "icon": "bell"})).json()["data"]
            answer = await http.get(f"{routes.REQUESTS}?secret=in-query", headers={"X-Request-Id": "from-the-caller.1"})
            assert answer.headers["x-request-id"] == "from-the-caller.1"
            await http.get(f"/join/{made['invite_code']}")
            await http.get(f"{on.url}//Join//{made['invite_code']}")
            await http.get(f"/qr/{made['invite_code']}.png")
            body = {"request_text": "the text of a question", "response_type": "boolean"}
            await http.post(routes.LOOP_REQUESTS.format(loop_id=made["loop"]["id"]), json=body)
        code = await on.run("inbox", "--print", code=2)
        assert "needs a terminal" in code or "terminal" in code
        assert await on.stop() == 0
        text = on.log.read_text()
        for secret in (key, made["invite_code"], "in-query", "the text of a question"):
            assert secret not in text
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        (mine,) = [line for line in lines if line.get("request_id") == "from-the-caller.1"]
        assert (mine["method"], mine["path"], mine["status"]) == ("GET", routes.REQUESTS, 403)


async def test_two_servers_do_not_share_a_folder_and_a_taken_port_is_said(folder: Path) -> None:
    async with machine(folder) as on:
        said = await Machine(folder, on.port + 1, on.log).run("serve", "--port", str(on.port + 1), code=2)
        assert "already uses the data folder" in said and "Traceback" not in said
        other = Machine(folder.parent / "other", on.port, on.log)
        said = await other.run("serve", "--port", str(on.port), code=2)
        assert f"port {on.port}" in said and "HITL_PORT" in said and "Traceback" not in said
