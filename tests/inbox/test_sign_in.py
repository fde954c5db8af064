"""Signing in, sessions and their end (H14, H15); and looking changes nothing."""

from __future__ import annotations

import os
import re
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
from playwright.async_api import Browser

from hitl_mcp.contract import routes
from hitl_mcp.sdk import http
from tests.inbox.attacker import attacking
from tests.inbox.visit import Visit, answered, ask_for, contents, new_code, now, plain_http, visiting
from tests.world import SimulatedClock, World, eventually, running_service, stdio_client, world

pytestmark = pytest.mark.anyio

REFUSED = "This sign-in is used up, expired or wrong"


async def post_code(client: http.Client, code: str, **headers: str) -> http.HTTPResponse:
    """The sign-in form's request, as the private page sends it."""
    return await client.post("/sign-in", data={"code": code}, headers={"Origin": "null"} | headers)


def cookie_of(response: http.HTTPResponse) -> str:
    """The session that an answer sets; empty when it sets none."""
    found = re.search(r"hitl_session=([^;]*)", response.headers.get("set-cookie", ""))
    return found[1].strip('"') if found else ""


async def test_a_code_works_once_and_only_when_it_is_posted(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome, signed_in=False) as visit:
        for typed in (False, True):
            code = await new_code(here.found, typed=typed)
            for path in (f"/sign-in?code={code}", f"/sign-in?code={code}&next=/", f"/?code={code}"):
                await visit.page.goto(visit.origin + path)
                assert not await visit.session(), "looking signs nobody in"
            async with plain_http(visit) as client:
                for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
                    looked = await client.request(method, "/sign-in", params={"code": code})
                    assert not cookie_of(looked)
                signed_in = await post_code(client, code)
                assert signed_in.status_code == 200 and cookie_of(signed_in)
                again = await post_code(client, code)
                assert again.status_code == 401 and not cookie_of(again) and REFUSED in again.text


async def test_a_code_dies_after_a_minute(folder: Path, chrome: Browser) -> None:
    clock = SimulatedClock()
    async with (
        world(folder, clock=clock) as here,
        visiting(here.found, chrome, signed_in=False) as visit,
        plain_http(visit) as client,
    ):
        for typed in (False, True):
            late, fresh = [await new_code(here.found, typed=typed) for _ in range(2)]
            clock.move(59)
            assert (await post_code(client, fresh)).status_code == 200
            clock.move(1)
            assert (await post_code(client, late)).status_code == 401


async def test_five_wrong_codes_end_the_guessing(folder: Path, chrome: Browser) -> None:
    clock = SimulatedClock()
    async with world(folder, clock=clock) as here, visiting(here.found, chrome, signed_in=False) as visit:
        page = visit.page
        code = await new_code(here.found, typed=True)
        await page.goto(f"{visit.origin}/sign-in")
        for guess in range(5):
            await page.fill("#code", f"AAAAA-BBBB{guess + 2}")
            async with page.expect_navigation() as going:
                await page.get_by_role("button", name="Sign in").click()
            response = answered(await going.value)
            assert response.status == (401 if guess < 4 else 429)
        assert "Too many wrong codes" in await visit.words()
        async with plain_http(visit) as client:
            late = await post_code(client, code)
            assert late.status_code == 429, "the right one comes too late"
            assert 0 < int(late.headers["retry-after"]) <= 60
            long = await new_code(here.found)
            assert (await post_code(client, long)).status_code == 200, "nobody guesses a form's code, so it still works"
            clock.move(61)
            assert (await post_code(client, code)).status_code == 401, "the guessing made the open codes worthless"
            fresh = await new_code(here.found, typed=True)
            assert (await post_code(client, fresh)).status_code == 200


async def test_guessing_all_at_once_is_no_way_around(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome, signed_in=False) as visit:
        code = await new_code(here.found, typed=True)
        statuses: list[int] = []
        async with plain_http(visit) as client, anyio.create_task_group() as tasks:

            async def guess(number: int) -> None:
                statuses.append((await post_code(client, f"AAAAA-CCC{number + 22}")).status_code)

            for number in range(30):
                tasks.start_soon(guess, number)
        assert statuses.count(401) <= 4 and statuses.count(429) >= 26
        async with plain_http(visit) as client:
            assert (await post_code(client, code)).status_code == 429


async def test_the_session_is_a_cookie_for_this_host_that_no_script_and_no_other_site_gets(
    folder: Path, chrome: Browser
) -> None:
    async with world(folder) as here, visiting(here.found, chrome, signed_in=False) as visit:
        await visit.sign_in()
        [cookie] = await visit.context.cookies()
        assert cookie.get("httpOnly") is True and cookie.get("sameSite") == "Strict" and cookie.get("path") == "/"
        assert cookie.get("domain") == visit.host.split(":")[0], "host-only: no leading dot"
        assert await visit.page.evaluate("document.cookie") == ""
        async with plain_http(visit) as client:
            header = (await post_code(client, await new_code(here.found))).headers["set-cookie"].lower()
            assert "domain" not in header and "httponly" in header and "samesite=strict" in header
            page = await client.get("/", headers={"Cookie": f"hitl_session={cookie.get('value')}"})
            assert page.status_code == 200 and page.headers["cache-control"] == "no-store"
            assert "unsafe" not in page.headers["content-security-policy"]
            assert page.headers["referrer-policy"] in ("same-origin", "no-referrer")


async def test_a_new_sign_in_and_a_sign_out_end_the_browsers_old_session(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome, signed_in=False) as visit:
        await visit.sign_in()
        old = await visit.session()
        await visit.sign_in()
        new = await visit.session()
        assert new != old
        await visit.send("Sign out")
        assert not await visit.session()
        async with plain_http(visit) as client:
            for session in (old, new):
                for path in ("/", "/live"):
                    refused = await client.get(path, headers={"Cookie": f"hitl_session={session}"})
                    assert refused.status_code == 401


async def test_a_session_of_the_terminal_opens_no_page_and_a_pages_session_no_api(
    folder: Path, chrome: Browser
) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit, plain_http(visit) as client:
        refused = await client.get("/", headers={"Cookie": f"hitl_session={here.reviewer.session.key}"})
        assert refused.status_code == 401
        session = await visit.session()
        answer = await client.get(
            routes.REVIEWS, headers={"Host": f"127.0.0.1:{here.found.state.port}", "Cookie": f"hitl_session={session}"}
        )
        assert answer.status_code == 401, "the API knows no cookie, so no page can use it"


async def test_a_form_without_its_token_or_from_elsewhere_does_nothing(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit, plain_http(visit) as client:
        request = await ask_for(here)
        await visit.open(request)
        good = {"token": await visit.page.input_value("#answer-form input[name=token]"), "revision": "1",
                "answer": "approve", "comment": "typed <b>"}  # fmt: skip
        own = {"Origin": visit.origin, "Cookie": f"hitl_session={await visit.session()}"}
        one = f"/requests/{request.id}"
        forms = [f"{one}/decision", f"{one}/claim", f"{one}/release", f"{one}/again", "/sign-out"]
        other_session = (await post_code(client, await new_code(here.found))).headers["set-cookie"].split(";")[0]
        client.cookies.clear()
        before = contents(folder)
        bad_tokens: list[dict[str, str]] = [
            {}, {"token": ""}, {"token": "x"}, {"token": "é"}, {"token": good["token"].upper()},
            {"token": good["token"] + "0"},
        ]  # fmt: skip
        for path in forms:
            for bad in bad_tokens:
                fields = {name: value for name, value in good.items() if name != "token"} | bad
                refused = await client.post(path, data=fields, headers=own)
                assert refused.status_code == 403, (path, bad)
                if path.endswith("decision"):
                    assert "typed &lt;b&gt;" in refused.text, "what was typed is not lost"
            stolen = await client.post(path, data=good, headers=own | {"Cookie": other_session})
            assert stolen.status_code == 403, "another session's token"
            for origin in ("null", "http://evil.example", visit.origin + "0", visit.origin.replace("http:", "https:"),
                           visit.origin.replace("http://", "http://a."), f"http://localhost:{here.found.state.port}",
                           visit.origin.upper(), ""):  # fmt: skip
                refused = await client.post(path, data=good, headers=own | {"Origin": origin})
                assert refused.status_code == 403, (path, origin)
            nowhere = await client.post(path, data=good, headers={"Cookie": own["Cookie"]})
            assert nowhere.status_code == 403, "no origin at all"
            nobody = await client.post(path, data=good, headers={"Origin": visit.origin})
            assert nobody.status_code == 401, "nobody is signed in"
        assert contents(folder) == before
        assert (await client.post(forms[0], data=good, headers=own)).status_code == 303, "while the right form works"


async def addresses_gone_to(visit: Visit) -> str:
    """The tab's history, as the browser keeps it."""
    tools: Any = await visit.context.new_cdp_session(visit.page)
    return str(await tools.send("Page.getNavigationHistory"))


async def test_the_code_is_nowhere_once_it_was_used(folder: Path, chrome: Browser) -> None:
    """H15: not in an address, the history, the log, or any file of the service."""
    async with stdio_client(folder, HITL_LOG_LEVEL="DEBUG") as client:
        await client.call_tool("list_loops", {})
        found = await running_service(folder)
        async with visiting(found, chrome, signed_in=False) as visit:
            addresses: list[str] = []
            visit.page.on("request", lambda request: addresses.append(request.url + str(request.headers)))
            codes = [await new_code(found, typed=typed) for typed in (False, True)]
            for code in codes:
                await visit.page.goto(f"{visit.origin}/sign-in")
                await visit.page.fill("#code", code)
                await visit.page.get_by_role("button", name="Sign in").click()
                await visit.page.wait_for_url(f"{visit.origin}/")
            session = await visit.session()
            history = await addresses_gone_to(visit)
            assert "/sign-in" in history
            files = [path for path in folder.rglob("*") if path.is_file()]
            assert folder / "service.log" in files
            bare = [code.replace("-", "") for code in codes]
            for secret in [*codes, *bare, session, found.console().key]:
                assert secret not in history and secret not in "".join(addresses)
                for path in files:
                    assert secret.encode() not in path.read_bytes(), path


def went_away(folder: Path, seconds: float) -> None:
    """Let the stopped service look as if it had been down for so long."""
    then = time.time() - seconds
    os.utime(folder / "alive", (then, then))


@pytest.mark.parametrize(("away", "status"), [(-3, 200), (6, 401)], ids=["a moment", "longer"])
async def test_sessions_end_when_the_service_was_away_for_longer(
    folder: Path, chrome: Browser, away: float, status: int
) -> None:
    """Somebody else's program may have had the port meanwhile, and with it the cookie of an open page."""
    async with AsyncExitStack() as browsing:
        async with world(folder) as here:
            visit = await browsing.enter_async_context(visiting(here.found, chrome))
            code = await new_code(here.found)
            assert (await visit.list()).status == 200
        went_away(folder, away)
        async with world(folder) as here, plain_http(visit) as client:
            assert here.found.state.port == visit.found.state.port, "it comes back to its port"
            assert (await visit.list()).status == status
            assert (await post_code(client, code)).status_code == status, "open codes end with the sessions"
            if status == 401:
                assert "sessions also end when the service was away" in await visit.words()


async def test_the_cookie_that_a_squatter_on_the_port_was_sent_is_worthless(folder: Path, chrome: Browser) -> None:
    async with AsyncExitStack() as browsing:
        async with world(folder) as here:
            visit = await browsing.enter_async_context(visiting(here.found, chrome))
            await ask_for(here, "Transfer the secret 4711?")
            await visit.list()
            await visit.is_live()
        async with attacking(visit.found.state.port) as squatter:

            async def caught() -> str:
                sent = [seen.headers.get("cookie", "") for seen in squatter.seen if seen.path == "/live"]
                return next(iter(sent), "")

            stolen = await eventually(caught)
            assert stolen == f"hitl_session={await visit.session()}", "the open page does hand it over"
            async with world(folder) as here:
                assert here.found.state.port != visit.found.state.port
                async with visiting(here.found, chrome, signed_in=False) as thief, plain_http(thief) as client:
                    for path in ("/", "/live"):
                        assert (await client.get(path, headers={"Cookie": stolen})).status_code == 401
                moved = await Visit.of(here.found, visit.context)
                assert (await moved.list()).status == 401, "nor for the browser it was stolen from"
                await moved.sign_in()
                assert "Transfer the secret 4711?" in await moved.words()


CRAWL = """async (start) => {
    const waiting = [...start], seen = {};
    while (waiting.length) {
        const path = waiting.pop();
        if (path in seen) continue;
        const answer = await fetch(path);
        seen[path] = await answer.text();
        const page = new DOMParser().parseFromString(seen[path], "text/html");
        for (const name of ["href", "src", "action", "formaction"])
            for (const it of page.querySelectorAll(`[${name}]`)) {
                const url = new URL(it.getAttribute(name), answer.url);
                if (url.origin === location.origin) waiting.push(url.pathname + url.search);
            }
    }
    return seen;
}"""


async def crawl(visit: Visit, start: list[str]) -> dict[str, str]:
    """Follow every link, and go by GET to whatever forms post to; the paths that were seen, with what is there."""
    await visit.page.goto(f"{visit.origin}/static/manifest.webmanifest")
    return await visit.page.evaluate(CRAWL, start)


async def test_looking_changes_nothing(folder: Path, chrome: Browser) -> None:
    """Every link and every address of a form, by GET, as the person who is signed in and who is not."""
    clock = SimulatedClock()
    async with (
        world(folder, clock=clock) as here,
        visiting(here.found, chrome) as visit,
        visiting(here.found, chrome, signed_in=False) as stranger,
    ):
        overdue = await ask_for(here, "Overdue", processing_type="time-sensitive", timeout_seconds=60)
        claimed, decided, waiting = [await ask_for(here, name) for name in ("Claimed", "Decided", "Waiting")]
        await here.reviewer.do(routes.REQUEST_CLAIM, claimed.id)
        await here.reviewer.answer(decided.id, "approve")
        clock.move(61)
        await eventually(lambda: closed(here, overdue.id))
        code = await new_code(here.found)
        before = contents(folder)

        start = ["/", f"/sign-in?code={code}", f"/requests/{waiting.id}?answer=approve&revision=1"]
        start += [f"/requests/{item.id}{tail}" for item in (overdue, claimed, decided, waiting)
                  for tail in ("", "/decision?answer=approve&revision=1", "/release", "/claim", "/again")]  # fmt: skip
        seen = await crawl(visit, start)
        assert {"/sign-out", "/static/live.js", f"/requests/{claimed.id}/release"} <= seen.keys()
        async with plain_http(visit) as client:
            for method in ("HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"):
                for path in seen:
                    cookie = {"Cookie": f"hitl_session={await visit.session()}", "Origin": visit.origin}
                    looked = await client.request(method, path, headers=cookie)
                    assert looked.status_code in ((200, 303, 404, 405) if method == "HEAD" else (405,)), (method, path)
        told = await crawl(stranger, [*start, *seen])
        assert "Waiting" in str(seen) and not any("Waiting" in page for page in told.values())

        assert contents(folder) == before, "not even a commit"
        assert (await visit.list()).status == 200, "still signed in"
        assert (await now(here, waiting)).status.is_open


async def closed(here: World, request_id: str) -> bool:
    """Whether the service has written that the request is closed."""
    data = await here.raw("GET", routes.REQUEST_EVENTS.format(request_id=request_id))
    return any(entry["type"] == "timeout" for entry in data["events"])
