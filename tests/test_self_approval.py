"""Nobody approves themselves (D10): every route and every tool, walked with an agent's credential."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import update
from starlette.routing import Route

from hitl_mcp.backends import open_backend
from hitl_mcp.contract import routes
from hitl_mcp.contract.escalation import Ladder
from hitl_mcp.contract.models import NewAnswer
from hitl_mcp.contract.outcome import Outcome, outcome_of
from hitl_mcp.contract.states import Assurance, Channel
from hitl_mcp.errors import BadRequest, Conflict, NotAllowed
from hitl_mcp.sdk import AsyncHITLClient, http
from hitl_mcp.sdk.endpoint import Fixed
from hitl_mcp.sdk.local import ask
from hitl_mcp.service import ladders, rows
from hitl_mcp.service.actors import Person
from hitl_mcp.service.inbox import create_doorstep, create_inbox
from hitl_mcp.service.run import running
from hitl_mcp.service.store.tables import loops
from hitl_mcp.service.web.app import create_api
from tests.served.team import team
from tests.tools.test_asking import told
from tests.world import running_service, settings_for, sign_in, stdio_client, world

pytestmark = pytest.mark.anyio

ANSWERS: list[Any] = [
    {"response_data": "approve", "revision": 1},
    {"response_data": "approve", "revision": 1, "comment": "by me"},
    {"answer": "approve", "revision": "1", "token": "x"},
    {"status": "completed", "response_data": "approve", "response_by": "me"},
    {"code": "AAAAA-AAAAA"},
    {"typed": True},
    {},
]
MAY_CLOSE = {("DELETE", routes.REQUEST), ("PATCH", routes.REQUEST)}
"""What an agent may do to its own request; never an answer."""
OF_AGENTS: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", routes.REQUEST): {"reviewer_answer": "approve"},
    ("POST", routes.TOKENS): {"expires_in": 1},
}
"""What agents may send there, beside the answers that are none."""
BY_CLIENT = ("POST", routes.REQUEST_CLIENT_ANSWER)
"""The one exception (H7): what the client's user answered in its own dialog, on one's own machine, marked as such."""


def walk(app: Any) -> list[tuple[str, str]]:
    """Every method and path of an application, through its wrappers."""
    while not hasattr(app, "routes"):
        app = app._app  # pyright: ignore[reportPrivateUsage]
    found: list[tuple[str, str]] = []
    pending = list(app.routes)
    while pending:
        route = pending.pop()
        if isinstance(route, APIRoute | Route):
            found += [(method, route.path) for method in sorted(route.methods or {"GET"})]
        elif hasattr(route, "routes"):
            pending += list(route.routes or [])
        else:
            nested = getattr(route, "original_router", None) or getattr(route, "router", None)
            pending += list(nested.routes) if nested is not None else []
    return found


async def test_no_route_lets_an_agents_key_answer_join_or_sign_in(folder: Path) -> None:
    settings = settings_for(folder)
    async with running(settings, hosted_by="test") as services, open_backend(settings) as agent:
        found = await running_service(folder)
        endpoint = found.endpoint()
        loop = (await agent.list_loops())[0]
        api = walk(create_api(services))
        assert ("POST", routes.REQUEST_RESPOND) in api and len(api) > 15, "the walk must see the routes"
        inbox = walk(create_inbox(services)) + walk(create_doorstep(services))
        assert {("POST", path) for path in BESIDE_ANSWERING if path.startswith("/v1/")} <= set(api)
        pages = {re.sub(r":\w+}", "}", path) for method, path in inbox if method == "POST"}
        assert {path for path in BESIDE_ANSWERING if not path.startswith("/v1/")} <= pages
        assert BY_CLIENT in api
        api.remove(BY_CLIENT)

        async with http.new_client() as client:
            hosts = [
                (f"127.0.0.1:{services.keys.port}", api),
                (f"{services.keys.inbox_host}:{services.keys.port}", inbox),
                (f"localhost:{services.keys.port}", inbox),
            ]
            for host, paths in hosts:
                for method, path in paths:
                    if path == routes.EVENTS_STREAM:
                        continue  # a GET that never ends; reading only
                    changes = method not in ("GET", "HEAD")
                    request_id = ""
                    sent = [*ANSWERS, *filter(None, [BESIDE_ANSWERING.get(path), OF_AGENTS.get((method, path))])]
                    tries: list[tuple[Any, bool]] = list(product(sent, (False, True))) if changes else [({}, False)]
                    for body, as_form in tries:
                        if not request_id:
                            created = await agent.create_request(loop.id, _approval(f"{method} {path}"))
                            request_id = created.request_id
                        url = re.sub(r":\w+}", "}", path).format(
                            request_id=request_id,
                            loop_id=loop.id,
                            action="decision",
                            path="x",
                            name="inbox.css",
                            user_id="a" * 24,
                            key_id="a" * 24,
                            webhook_id="a" * 24,
                            channel_id="a" * 24,
                            code="AAAAAAAAA",
                            token="a" * 43,
                            template="content_review",
                            digest="a" * 64,
                        )
                        given: dict[str, Any] = {"data": body} if as_form else {"json": body}
                        response = await client.request(
                            method, found.address + url, params={"timeout": 0, "after": 0},
                            headers={
                                "Host": host, "Cookie": f"hitl_session={endpoint.key}", "Origin": f"http://{host}",
                            } | ({"Authorization": f"Bearer {endpoint.key}"} if paths is api else {}),
                            **(given if changes else {}),
                        )  # fmt: skip
                        assert "hitl_session" not in response.headers.get("set-cookie", "") or (
                            response.headers["set-cookie"].startswith('hitl_session=""')
                        ), f"{method} {path} gave a session"
                        assert "token" not in response.headers.get("content-type", "")
                        if response.headers.get("content-type", "").startswith("application/json"):
                            said = json.loads(response.content or b"{}")
                            assert not {"code", "token"} & set(said.get("data") or {}), f"{method} {path}"
                        after = await agent.get_request(request_id)
                        assert after.response_by is None and after.response_data is None, f"{method} {path}"
                        assert after.status.value in ("pending", "cancelled"), f"{method} {path}"
                        if after.status.value == "cancelled":
                            assert (method, path) in MAY_CLOSE
                            request_id = ""
                    if request_id:
                        await agent.cancel_request(request_id)


BESIDE_ANSWERING: dict[str, dict[str, Any]] = {
    routes.REQUEST_RESPOND: {"response_data": "approve", "revision": 1},
    routes.REQUEST_CLAIM: {},
    routes.REQUEST_RELEASE: {},
    routes.REQUEST_UNDO: {},
    routes.REQUEST_REASSIGN: {"user_id": "{user_id}"},
    routes.REQUEST_ASK: {"question": "Why?"},
    routes.REQUEST_ESCALATE: {"reason": "Above me"},
    "/requests/{request_id}/decision": {"answer": "approve", "revision": "1"},
    "/requests/{request_id}/undo": {},
    "/requests/{request_id}/hand": {"to": "{user_id}"},
    "/requests/{request_id}/ask": {"question": "Why?"},
    "/requests/{request_id}/escalate": {"reason": "Above me"},
    "/loops/{loop_id}/escalation": {"s0-from_priority": "low", "s0-raise_priority_to": "critical"},
    "/similar/{digest}/decision": {"answer": "approve", "take": "{request_id}:1", "revision": "1"},
}
"""What only people do to a request and to its ladder, with what they would send."""


async def test_what_only_people_do_no_key_and_no_token_of_a_page_does(folder: Path) -> None:
    """No program takes a held answer back, hands a request on, asks back, escalates or sets a ladder."""
    settings = settings_for(folder)
    async with running(settings, hosted_by="test") as services, open_backend(settings) as agent:
        found = await running_service(folder)
        loop = (await agent.list_loops())[0]
        me = services.account.user_id
        owner = Person(me, "Ada", Channel.INBOX)
        ladder = Ladder.model_validate({"steps": [{"raise_priority_to": "high"}]})
        await services.lifecycle.set_ladder(owner, loop.id, ladder)
        undo = update(loops).where(loops.c.id == loop.id).values(undo_seconds=600)
        await services.store.write(lambda tx: tx.connection.execute(undo) and None)
        held, free = [(await agent.create_request(loop.id, _approval(name))).request_id for name in ("held", "free")]
        await services.lifecycle.decide(owner, held, NewAnswer(response_data="approve", revision=1))
        digest = await services.store.read(lambda tx: rows.find(tx, free)["similar"])
        token = (await ask(found.endpoint(), "POST", routes.TOKENS, {"expires_in": 60}))["access_token"]
        before = [await services.store.read(lambda tx, one=one: rows.find(tx, one)) for one in (held, free)]
        async with http.new_client() as client:
            for path, wanted in BESIDE_ANSWERING.items():
                for request_id, key in product((held, free), (found.endpoint().key, token)):
                    values = {"request_id": request_id, "loop_id": loop.id, "user_id": me, "digest": digest}
                    body = {
                        name: value.format(**values) if isinstance(value, str) else value
                        for name, value in wanted.items()
                    }
                    is_page = not path.startswith("/v1/")
                    host = f"{services.keys.inbox_host if is_page else '127.0.0.1'}:{services.keys.port}"
                    given: dict[str, Any] = {"data": body} if is_page else {"json": body}
                    said = {"Cookie": f"hitl_session={key}"} if is_page else {"Authorization": f"Bearer {key}"}
                    response = await client.post(
                        found.address + path.format(**values), **given,
                        headers={"Host": host, "Origin": f"http://{host}"} | said,
                    )  # fmt: skip
                    assert response.status_code in (401, 403), f"{path}: {response.status_code} {response.text[:200]}"
            own = {"assigned_to": "f" * 24}, {"reviewer_answer": "yes"}
            for body in own:
                with pytest.raises(BadRequest):
                    await ask(found.endpoint(), "PATCH", routes.REQUEST.format(request_id=free), body)
        after = [await services.store.read(lambda tx, one=one: rows.find(tx, one)) for one in (held, free)]
        assert after == before
        assert await services.store.read(lambda tx: ladders.of_loop(tx, loop.id)) == ladder


def _approval(text: str) -> Any:
    from hitl_mcp.contract.models import NewRequest
    from hitl_mcp.contract.states import Kind

    return NewRequest(kind=Kind.APPROVAL, request_text=text)


async def test_the_one_exception_is_marked_and_refused_wherever_it_matters(folder: Path) -> None:
    """H7: a critical request, another key's, another revision than the one shown, and a team's server."""
    async with world(folder) as here:
        critical = await here.ask_approval("Wipe", priority="critical")
        changed = await here.ask_approval("Deploy")
        await here.agent.update_request(changed.id, request_text="Deploy everything")
        plain = await here.ask_approval("Deploy")
        assert (critical.client_answers, plain.client_answers) == (False, True)
        key = (await ask(here.found.console(), "POST", routes.KEYS, {"name": "another"}))["key"]
        for wanted, revision, who in (
            (critical, 1, here.found.endpoint()),
            (changed, 1, here.found.endpoint()),
            (plain, 1, here.found.session(key)),
        ):
            with pytest.raises(Conflict if wanted is changed else NotAllowed):
                await here.raw("POST", _by_client(wanted.id), _approve(revision), key=who)
            left = await here.agent.get_request(wanted.id)
            assert left.status.is_open and left.response_data is None
        done = await here.agent.answer_in_client(plain.id, "approve", revision=1)
        assert (done.response_channel, done.response_assurance) == (Channel.CLIENT, Assurance.CLIENT_ASSERTED)
        assert outcome_of(done) is Outcome.APPROVED


async def test_a_teams_server_takes_no_answer_through_a_client(folder: Path) -> None:
    async with team(folder) as server, AsyncHITLClient.at(Fixed(server.endpoint(await server.key()))) as agent:
        created = await agent.create_request((await agent.list_loops())[0].id, _approval("Deploy"))
        assert created.client_answers is False
        with pytest.raises(NotAllowed, match="This loop takes no answers through the client"):
            await agent.answer_in_client(created.id, "approve", revision=1)
        assert (await agent.get_request(created.id)).response_data is None


def _by_client(request_id: str) -> str:
    return routes.REQUEST_CLIENT_ANSWER.format(request_id=request_id)


def _approve(revision: int) -> dict[str, Any]:
    return {"response_data": "approve", "revision": revision}


async def test_no_tool_lets_an_agent_answer(folder: Path) -> None:
    async with stdio_client(folder) as client:
        tools = (await client.list_tools()).tools
        made = told(await client.call_tool("request_human_approval", {"action": "Deploy", "wait_seconds": 0}))
        everything: dict[str, Any] = {
            "request_id": made["request_id"], "response_data": "approve", "answer": "approve", "approve": True,
            "approved": True, "decision": "approved", "outcome": "approved", "status": "completed", "revision": 1,
            "action": "Deploy", "question": "?", "response_type": "boolean", "response_config": {},
            "default_response": True, "wait_seconds": 0, "limit": 5,
        }  # fmt: skip
        checked: dict[str, Any] = {}
        for tool in sorted(tools, key=lambda tool: tool.name == "cancel_request"):
            arguments = dict(everything)
            if tool.name == "list_requests":
                arguments.pop("status")
            known = {name: value for name, value in arguments.items() if name in tool.input_schema["properties"]}
            for given in (arguments, known):
                await client.call_tool(tool.name, given)
            checked = told(await client.call_tool("check_request", {"request_id": made["request_id"]}))
            assert checked["approved"] is False and checked["decided_by"] is None, tool.name
        assert checked.get("outcome") == "cancelled"


async def test_the_agents_key_of_one_run_is_worthless_in_the_next(folder: Path) -> None:
    settings = settings_for(folder)
    async with running(settings, hosted_by="test"):
        old = (await running_service(folder)).endpoint()
    async with running(settings, hosted_by="test"):
        found = await running_service(folder)
        async with http.new_client() as client:
            headers = {"Authorization": f"Bearer {old.key}"}
            answer = await client.get(found.address + routes.LOOPS, headers=headers)
        assert answer.status_code == 401


async def test_secrets_of_a_sign_in_are_nowhere_but_in_its_answer(folder: Path) -> None:
    """H15: not in logs, not in the database, not in process arguments."""
    async with stdio_client(folder) as client:
        await client.call_tool("list_loops", {})
        found = await running_service(folder)
        reviewer = await sign_in(found)
        token = reviewer.session.key
        files = [path for path in folder.rglob("*") if path.is_file()]
        for path in files:
            assert token.encode() not in path.read_bytes(), path
        key = found.endpoint().key
        for path in files:
            assert key.encode() not in path.read_bytes(), path
        for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                arguments = cmdline.read_bytes()
            except OSError:
                continue
            assert token.encode() not in arguments and key.encode() not in arguments
        assert not re.search(rb"[0-9a-f]{64}", (folder / "service.json").read_bytes())
