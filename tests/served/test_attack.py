"""What somebody with a key, an invitation, an old session or nothing at all tries on a team's server, and fails at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from hitl_mcp.contract import routes
from hitl_mcp.errors import HITLError
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.local import ask
from hitl_mcp.service import joining
from tests.served.team import Team, team
from tests.world import WAIT, settings_for

pytestmark = pytest.mark.anyio


def visitor(on: Team, **headers: str) -> httpx2.AsyncClient:
    """A browser, as far as the server can tell. Names below localhost it cannot look up."""
    sent = {"Origin": on.origin, "Host": on.origin.removeprefix("http://")} | headers
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{on.services.keys.port}", headers=sent, timeout=WAIT)


async def new_loop(on: Team, key: Endpoint, name: str = "Payments") -> tuple[str, str]:
    """A loop; its id and the path of its invitation."""
    made = await ask(key, "POST", routes.LOOPS, {"name": name, "icon": "lock"})
    return made["loop"]["id"], made["join_url"].removeprefix(on.origin)


async def asked(key: Endpoint, loop_id: str, text: str = "Refund?", **more: Any) -> str:
    """An open request."""
    path = routes.LOOP_REQUESTS.format(loop_id=loop_id)
    return str((await ask(key, "POST", path, {"kind": "approval", "request_text": text} | more))["request_id"])


async def enter(on: Team, browser: httpx2.AsyncClient, email: str | None = None) -> str:
    """Sign in with a code of the terminal; returns the token of the pages' forms."""
    done = await browser.post("/sign-in", data={"code": await on.code(email)})
    assert done.status_code == 200, done.text
    return await form_token(browser)


async def form_token(browser: httpx2.AsyncClient) -> str:
    """What the forms of this browser's session carry."""
    return (await browser.get("/")).text.partition('name="token" value="')[2].partition('"')[0]


async def people_of(key: Endpoint, loop_id: str) -> dict[str, dict[str, Any]]:
    """The people of a loop by address."""
    found = (await ask(key, "GET", routes.MEMBERS.format(loop_id=loop_id)))["members"]
    return {one["email"]: one for one in found if one["email"]}


async def test_wrong_codes_of_a_stranger_do_not_lock_the_owner_out(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as stranger, visitor(on) as owner:
        code = await on.code()
        for number in range(20):
            wrong = await stranger.post("/sign-in", data={"code": f"AAAAA-BBB{number + 22}"})
            assert wrong.status_code == 401
        assert (await owner.post("/sign-in", data={"code": code})).status_code == 200
        assert "waiting" in (await owner.get("/")).text
        assert (await stranger.post("/sign-in", data={"code": code})).status_code == 401, "a code is good once"


async def test_who_claimed_an_address_is_signed_out_when_its_owner_is_invited(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as mallory, visitor(on) as owner, visitor(on) as grace:
        key = on.endpoint(await on.key())
        _, open_door = await new_loop(on, key, "Lunch")
        loop_id, _ = await new_loop(on, key, "Payments")
        request_id = await asked(key, loop_id)
        claimed = await mallory.post(open_door, data={"name": "Mallory", "email": "grace@example.com"})
        assert claimed.status_code == 200 and (await mallory.get("/")).status_code == 200
        await ask(key, "POST", routes.MEMBERS.format(loop_id=loop_id), {"email": "grace@example.com", "name": "Grace"})
        assert (await mallory.get("/")).status_code == 401
        invited = (await people_of(key, loop_id))["grace@example.com"]
        assert invited["name"] == "Grace"
        token = await enter(on, owner)
        let_in = {"token": token, "loop": loop_id, "user": invited["user_id"]}
        assert (await owner.post("/people/confirm", data=let_in)).status_code == 303
        assert (await mallory.get(f"/requests/{request_id}")).status_code == 401
        await enter(on, grace, "grace@example.com")
        assert (await grace.get(f"/requests/{request_id}")).status_code == 200


async def test_an_invitation_takes_over_from_who_waits_with_the_address_already(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as mallory, visitor(on) as owner:
        key = on.endpoint(await on.key(name="human resources"))
        loop_id, door = await new_loop(on, key)
        await mallory.post(door, data={"name": "Mallory", "email": "grace@example.com"})
        await ask(key, "POST", routes.MEMBERS.format(loop_id=loop_id), {"email": "grace@example.com", "name": "Grace"})
        assert (await mallory.get("/")).status_code == 401
        await enter(on, owner)
        page = (await owner.get("/people")).text
        assert "invited with the API key human resources" in page
        assert "came with the code" not in page and "Mallory" not in page
        with pytest.raises(HITLError):
            await ask(key, "POST", routes.MEMBERS.format(loop_id=loop_id), {"email": "grace@example.com"})


async def test_under_tls_no_neighbour_can_plant_a_session(folder: Path) -> None:
    async with team(folder, public_url="https://hitl.example.com") as on:
        sent = {"Origin": "https://hitl.example.com", "Host": "hitl.example.com"}
        async with visitor(on, **sent) as browser:
            done = await browser.post("/sign-in", data={"code": await on.code()})
            cookie = done.headers["set-cookie"]
            assert cookie.startswith("__Host-hitl_session=")
            parts = {part.strip().lower() for part in cookie.split(";")[1:]}
            assert {"secure", "httponly", "path=/", "samesite=strict"} <= parts
            assert not any(part.startswith("domain") for part in parts)
            session = cookie.partition("=")[2].partition(";")[0]
            given = {"Cookie": f"__Host-hitl_session={session}; hitl_session=planted"}
            assert (await browser.get("/", headers=given)).status_code == 200
            planted = {"Cookie": f"hitl_session={session}"}
            assert (await browser.get("/", headers=planted)).status_code == 401


async def test_what_is_written_about_the_services_keys_holds_no_secret(folder: Path) -> None:
    async with team(folder) as on:
        keys = on.services.keys
        written = f"{keys!r} {on.endpoint(keys.console)!r}"
        assert keys.agent is not None
        assert all(one not in written for one in (keys.agent, keys.console, repr(keys.proof_secret)))


async def test_who_claimed_an_address_is_signed_out_when_its_owner_signs_in(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as mallory, visitor(on) as grace:
        key = on.endpoint(await on.key())
        _, door = await new_loop(on, key)
        await mallory.post(door, data={"name": "Mallory", "email": "grace@example.com"})
        await enter(on, grace, "grace@example.com")
        out = await mallory.get("/")
        assert out.status_code == 401 and 'href="/sign-in"' in out.text and "open-again" not in out.text
        assert (await grace.get("/")).status_code == 200


async def test_who_claimed_an_address_owns_nothing_of_a_key_made_for_it(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as mallory:
        _, door = await new_loop(on, on.endpoint(await on.key()))
        await mallory.post(door, data={"name": "Mallory", "email": "grace@example.com"})
        hers = on.endpoint(await on.key(email="grace@example.com"))
        loop_id, _ = await new_loop(on, hers, "Hers")
        request_id = await asked(hers, loop_id)
        assert (await mallory.get(f"/requests/{request_id}")).status_code == 401


async def test_an_active_member_stays_signed_in_when_invited_elsewhere(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as ada, visitor(on) as owner:
        key = on.endpoint(await on.key())
        loop_id, door = await new_loop(on, key)
        elsewhere, _ = await new_loop(on, key, "Elsewhere")
        await ada.post(door, data={"name": "Ada", "email": "ada@example.com"})
        user = (await people_of(key, loop_id))["ada@example.com"]["user_id"]
        token = await enter(on, owner)
        assert (await owner.post("/people/confirm", data={"token": token, "loop": loop_id, "user": user})).is_redirect
        await ask(key, "POST", routes.MEMBERS.format(loop_id=elsewhere), {"email": "ada@example.com", "name": "X"})
        await on.code("ada@example.com")
        assert (await ada.get("/")).status_code == 200
        assert (await people_of(key, elsewhere))["ada@example.com"]["name"] == "Ada"


@pytest.mark.parametrize("by_key", [False, True])
async def test_a_declined_newcomer_keeps_neither_session_nor_address(folder: Path, *, by_key: bool) -> None:
    async with team(folder) as on, visitor(on) as mallory, visitor(on) as owner, visitor(on) as grace:
        key = on.endpoint(await on.key())
        loop_id, door = await new_loop(on, key)
        await mallory.post(door, data={"name": "Mallory", "email": "grace@example.com"})
        user = (await people_of(key, loop_id))["grace@example.com"]["user_id"]
        if by_key:
            await ask(key, "DELETE", routes.MEMBER.format(loop_id=loop_id, user_id=user))
        else:
            token = await enter(on, owner)
            away = {"token": token, "loop": loop_id, "user": user}
            assert (await owner.post("/people/decline", data=away)).status_code == 303
        assert (await mallory.get("/")).status_code == 401
        again = await grace.post(door, data={"name": "Grace", "email": "grace@example.com"})
        assert again.status_code == 200, "the address is free for whom it belongs to"
        assert (await people_of(key, loop_id))["grace@example.com"]["name"] == "Grace"


async def test_a_removed_member_sees_and_decides_nothing_more(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as ada, visitor(on) as owner:
        key = on.endpoint(await on.key())
        loop_id, door = await new_loop(on, key)
        await ada.post(door, data={"name": "Ada", "email": "ada@example.com"})
        user = (await people_of(key, loop_id))["ada@example.com"]["user_id"]
        token = await enter(on, owner)
        await owner.post("/people/confirm", data={"token": token, "loop": loop_id, "user": user})
        first, second = await asked(key, loop_id), await asked(key, loop_id, "Pay?")
        hers = await form_token(ada)
        decided = {"token": hers, "revision": "1", "answer": "approve"}
        assert (await ada.post(f"/requests/{first}/decision", data=decided)).status_code == 303
        async with ada.stream("GET", "/live") as live:
            lines = live.aiter_lines()
            with anyio.fail_after(WAIT):
                while not (await anext(lines)).startswith("data:"):
                    pass
            await ask(key, "DELETE", routes.MEMBER.format(loop_id=loop_id, user_id=user))
            third = await asked(key, loop_id, "Transfer?")
            for action in ("decision", "claim", "release", "again"):
                assert (await ada.post(f"/requests/{second}/{action}", data=decided)).status_code in (401, 404), action
            session = on.endpoint(str(ada.cookies.get("hitl_session")))
            for method, path in (
                ("GET", routes.REVIEW),
                ("POST", routes.REQUEST_CLAIM),
                ("POST", routes.REQUEST_RESPOND),
            ):
                body = None if method == "GET" else {"response_data": "approve", "revision": 1}
                with pytest.raises(HITLError):
                    await ask(session, method, path.format(request_id=second), body)
            heard: list[str] = []
            with anyio.move_on_after(0.5):
                async for line in lines:
                    heard.append(line)
            assert third not in "".join(heard)
        assert "Transfer" not in (await ada.get("/")).text
        known = (await ask(key, "GET", routes.REQUEST.format(request_id=first)))["request"]
        assert known["response_by_user"]["email"] == "ada@example.com", "what she decided stays hers"


async def test_an_invitation_does_not_flood_a_loop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "MAX_WAITING", 3)
    async with team(folder) as on:
        key = on.endpoint(await on.key())
        loop_id, door = await new_loop(on, key)
        statuses: list[int] = []
        words = ""
        for number in range(5):
            async with visitor(on) as one:
                joined = await one.post(door, data={"name": "M", "email": f"m{number}@example.com"})
                statuses.append(joined.status_code)
                words = joined.text
        assert statuses == [200, 200, 200, 409, 409] and "let in or declined" in words
        assert len(await people_of(key, loop_id)) == 3
        await ask(key, "POST", routes.MEMBERS.format(loop_id=loop_id), {"email": "invited@example.com"})


async def test_a_key_that_may_not_read_is_told_nothing_by_the_events(folder: Path) -> None:
    async with team(folder) as on:
        blind = await on.key(scopes=["loops:read", "requests:write"])
        loops = (await ask(on.endpoint(blind), "GET", routes.LOOPS))["loops"]
        await asked(on.endpoint(blind), loops[0]["id"])
        async with visitor(on, Authorization=f"Bearer {blind}") as program:
            for path in (routes.EVENTS, routes.EVENTS_STREAM):
                refused = await program.get(f"{path}?after=0")
                assert refused.status_code == 403 and "requests:read" in refused.text


async def test_a_key_reaches_nothing_of_other_peoples_loops(folder: Path) -> None:
    async with team(folder) as on:
        key = on.endpoint(await on.key())
        mine, _ = await new_loop(on, key, "Mine")
        theirs, _ = await new_loop(on, key, "Theirs")
        request_id = await asked(key, theirs, "secret text")
        limited = await on.key(loop_ids=[mine])
        foreign = await on.key(email="foreign@example.com")
        own = [(routes.LOOP, "GET"), (routes.LOOP, "PUT"), (routes.LOOP, "DELETE"), (routes.LOOP_INVITE, "POST"),
               (routes.MEMBERS, "GET"), (routes.MEMBERS, "POST"), (routes.LOOP_REQUESTS, "GET"),
               (routes.LOOP_REQUESTS, "POST"), (routes.REQUEST, "GET"), (routes.REQUEST, "PATCH"),
               (routes.REQUEST, "DELETE"), (routes.REQUEST_WAIT, "GET"), (routes.REQUEST_EVENTS, "GET"),
               (routes.REQUEST_FEEDBACK, "POST"), (routes.REQUEST_DELIVERED, "POST"), (routes.REQUEST_STATUS, "GET"),
               (routes.REQUEST_RESPONSE, "GET"), (routes.REQUEST_RESPOND, "POST"), (routes.REQUEST_CLAIM, "POST"),
               (routes.REQUEST_RELEASE, "POST"), (routes.REVIEW, "GET"), (routes.REVIEWS, "GET")]  # fmt: skip
        bodies: dict[str, dict[str, Any]] = {
            routes.LOOP: {"name": "X"},
            routes.LOOP_INVITE: {},
            routes.MEMBERS: {"email": "x@example.com"},
            routes.LOOP_REQUESTS: {"request_text": "?", "kind": "approval"},
            routes.REQUEST: {"priority": "low"},
            routes.REQUEST_FEEDBACK: {"feedback": {"rating": 5}},
            routes.REQUEST_RESPOND: {"response_data": "approve", "revision": 1},
        }
        for secret in (limited, foreign):
            async with visitor(on, Authorization=f"Bearer {secret}") as program:
                for route, method in own:
                    path = route.format(loop_id=theirs, request_id=request_id)
                    for older in (path, path.replace("/v1/api/", "/v1/"), f"{path}/", path.replace("/v1/api/", "/")):
                        if older.startswith("/requests/") and not older.endswith(("/status", "/response")):
                            continue  # a person's page
                        sent = None if method == "GET" else bodies.get(route, {})
                        refused = await program.request(method, older, json=sent)
                        assert refused.status_code in (403, 404), (method, older, refused.text)
                        assert "secret text" not in refused.text
                for path in (routes.REQUESTS, routes.LOOPS, f"{routes.EVENTS}?after=0"):
                    assert request_id not in (await program.get(path)).text
                    assert theirs not in (await program.get(path)).text


async def test_odd_hosts_origins_and_paths_reach_nothing(folder: Path) -> None:
    async with team(folder) as on:
        host, port = on.origin.removeprefix("http://"), on.services.keys.port
        key = await on.key()
        name = host.partition(":")[0]
        odd = (f"{name}.:{port}", name, f"user@{host}", f"{host}.evil.example", f"evil.example#{host}", f"{host},evil",
               "evil.example", f"evil.{host}", "", f"[::1]:{port}", f"0.0.0.0:{port}")  # fmt: skip
        for other in odd:
            for path in ("/", "/v1/api/loops", "/mcp", "/sign-in", "/docs"):
                answer = await raw(port, path, [("Host", other), ("Authorization", f"Bearer {key}")])
                assert answer.startswith(("HTTP/1.1 421", "HTTP/1.1 400")), (other, path, answer[:200])
        forwarded = [("Host", "evil.example"), ("X-Forwarded-Host", host), ("Forwarded", f"host={host}")]
        assert (await raw(port, "/sign-in", forwarded)).startswith("HTTP/1.1 421")
        for two in ((host, "evil.example"), ("evil.example", host), (host, host)):
            assert (await raw(port, "/sign-in", [("Host", one) for one in two])).startswith("HTTP/1.1 400")
        absolute = await raw(port, f"{on.origin}/sign-in", [("Host", "evil.example")])
        assert absolute.startswith("HTTP/1.1 421")
        for path in ("/loops/../v1/api/loops", "//v1/api/loops", "/V1/api/loops", "/x/../v1/api/loops", "/MCP",
                     "/v1%2Fapi%2Floops;x", "/%76%31/api/loops", "/v1/api//loops", "/mcp%0a", "/sse;x"):  # fmt: skip
            answer = await raw(port, path, [("Host", host)])
            assert answer.split(" ", 2)[1] in ("401", "404", "405"), (path, answer[:200])
        for origin in (("null",), ("http://evil.example",), (on.origin, "http://evil.example"), (f"{on.origin}/",),
                       (on.origin, on.origin), (), (on.origin.upper(),)):  # fmt: skip
            sent = [("Host", host), *(("Origin", one) for one in origin)]
            for path in (
                "/sign-in",
                "/join/AAAAAAAAA",
                "/people/confirm",
                "/sign-out",
                f"/requests/{'a' * 24}/decision",
            ):
                answer = await raw(port, path, sent, method="POST")
                assert answer.startswith("HTTP/1.1 403"), (origin, path, answer[:300])


async def test_a_question_carries_no_link_to_the_inbox_itself(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as owner:
        key = on.endpoint(await on.key())
        loop_id, _ = await new_loop(on, key)
        host = on.origin.removeprefix("http://")
        ours = [f"{on.origin}/people", f"http://x@{host.upper()}/people", f"http://127.1:{host.partition(':')[2]}/people",
                f"http://evil.example\\@{host}/people"]  # fmt: skip
        links = [*ours, "https://files.example/contract.pdf"]
        request_id = await asked(
            key, loop_id, f"[Look]({on.origin}/people)", type="file", file_urls=links, file_names=["contract.pdf"]
        )
        await enter(on, owner)
        page = (await owner.get(f"/requests/{request_id}")).text
        said = page.partition('class="said"')[2].partition("</section>")[0]
        assert said.count("<a ") == 1 and 'href="https://files.example/contract.pdf"' in said
        assert all(f'href="{one}' not in page for one in ours)
        assert '<dt>With the API key</dt><dd dir="auto">tests</dd>' in page, "whatever name the agent gives itself"


async def test_what_somebody_typed_is_never_markup(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as owner, visitor(on) as mallory:
        key = on.endpoint(await on.key())
        evil = '"><script>alert(1)</script>\u202eevil'
        loop_id, door = await new_loop(on, key, evil)
        for name in ("Ada\u202e", "\u200bAda", "Ada\nLovelace", "\u3164", " "):
            refused = await mallory.post(door, data={"name": name, "email": "m@example.com"})
            assert refused.status_code == 422, name
        joined = await mallory.post(door, data={"name": "<img src=x onerror=alert(1)>", "email": "'><b>@example.com"})
        assert joined.status_code == 422 and "<img src=x" not in joined.text and "'><b>" not in joined.text
        joined = await mallory.post(door, data={"name": "<img src=x onerror=alert(1)>", "email": "m@example.com"})
        assert joined.status_code == 200
        invited = {"email": "gra\u202ece@example.com", "name": evil}
        await ask(key, "POST", routes.MEMBERS.format(loop_id=loop_id), invited)
        request_id = await asked(key, loop_id, evil, context={evil: evil}, type="file", file_url="https://a.example/",
                                 file_name=evil, file_type="pdf")  # fmt: skip
        await enter(on, owner)
        for path in ("/", "/people", f"/requests/{request_id}", door):
            page = await owner.get(path)
            assert page.status_code == 200
            body = page.text
            assert "<script>alert" not in body and "<img src=x" not in body and "\u202e" not in body, path
            policy = page.headers["content-security-policy"]
            assert "script-src 'self'" in policy and page.headers["x-content-type-options"] == "nosniff"
        for url in ("javascript:alert(1)", "data:text/html,x", "//evil.example", "https://"):
            with pytest.raises(HITLError):
                await asked(key, loop_id, type="file", file_url=url, file_name="x", file_type="pdf")


def test_the_public_address_is_as_browsers_send_it(folder: Path) -> None:
    spelled = {"https://Hitl.Example.com:443/": "https://hitl.example.com", "http://a.example:80": "http://a.example",
               "https://a.example:80": "https://a.example:80"}  # fmt: skip
    for given, known in spelled.items():
        assert settings_for(folder, public_url=given).public_url == known
    for wrong in ("https://:secret@a.example", "https://a.example/x"):
        with pytest.raises(ValueError, match="nothing behind it"):
            settings_for(folder, public_url=wrong)


async def raw(port: int, target: str, headers: list[tuple[str, str]], method: str = "GET") -> str:
    """What a server says to bytes that no client library would send."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        await stream.send("\r\n".join([*lines, "Content-Length: 0", "Connection: close", "", ""]).encode())
        answer = b""
        with anyio.fail_after(WAIT):
            while True:
                try:
                    answer += await stream.receive()
                except anyio.EndOfStream:
                    return answer.decode("latin-1")
