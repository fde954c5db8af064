"""An attacker on loopback (H13, H43): pages of other ports and of other names, in the browser that is signed in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.states import Status
from tests.inbox.attacker import PAGE, Attacker, attacking
from tests.inbox.visit import Visit, answered, ask_for, contents, new_code, now, plain_http, visiting
from tests.world import World, world

pytestmark = pytest.mark.anyio

QUESTION = "Transfer the secret 4711?"


def names(visit: Visit) -> list[str]:
    """Names under which another port can be opened. The last two need the inbox's own name, which is a secret."""
    inbox = visit.host.split(":")[0]
    return ["127.0.0.1", "localhost", "evil.localhost", f"evil.{inbox}", inbox]


async def form_token(visit: Visit, request: ReviewRequest) -> str:
    """The real token of the person's page: an attacker does not have it, yet it must not be enough."""
    await visit.open(request)
    return await visit.page.input_value("#answer-form input[name=token]")


async def test_a_page_on_another_port_gets_no_cookie(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit, attacking() as attacker:
        assert await visit.session()
        for name in names(visit)[:-1]:
            await visit.page.goto(attacker.at(name))
            assert await visit.page.evaluate("document.cookie") == ""
        assert len(attacker.seen) >= 4
        for seen in attacker.seen:
            assert "cookie" not in seen.headers, seen.everything


async def test_a_link_of_the_agent_tells_the_other_side_nothing(folder: Path, chrome: Browser) -> None:
    """H15: no referrer, no cookie, no opener; the inbox's name and addresses stay here."""
    async with world(folder) as here, visiting(here.found, chrome) as visit, attacking() as attacker:
        links = " ".join(f"[link {number}]({attacker.at(name, f'/{number}')})" for number, name in
                         enumerate(names(visit)[:3]))  # fmt: skip
        request = await ask_for(here, f"Look: {links}", context={"details": attacker.at("127.0.0.1", "/details")})
        await visit.open(request)
        for number in range(3):
            async with visit.context.expect_page() as opening:
                await visit.page.get_by_role("link", name=f"link {number}").click()
            other = await opening.value
            await other.get_by_role("heading", name="Elsewhere").wait_for()
            assert await other.evaluate("[document.referrer, window.opener]") == ["", None]
            await other.close()
        pages = [seen for seen in attacker.seen if seen.path != "/favicon.ico"]  # that is asked for by their own page
        assert [seen.path for seen in pages] == ["/0", "/1", "/2"]
        session = await visit.session()
        for seen in pages:
            assert not {"cookie", "referer", "origin"} & seen.headers.keys(), seen.everything
            assert visit.host not in seen.everything and request.id not in seen.everything
            assert session not in seen.everything


ATTACKS = {
    "no-cors": """([url, fields]) => fetch(url, { method: "POST", mode: "no-cors", credentials: "include",
        body: new URLSearchParams(fields) }).then((answer) => answer.type, () => "unreadable")""",
    "cors": """([url, fields]) => fetch(url, { method: "POST", credentials: "include",
        body: new URLSearchParams(fields) }).then((answer) => answer.text(), () => "unreadable")""",
    "beacon": """([url, fields]) => navigator.sendBeacon(url, new URLSearchParams(fields))""",
    "form": """([url, fields]) => {
        const form = Object.assign(document.createElement("form"), { method: "post", action: url });
        for (const [name, value] of Object.entries(fields))
            form.append(Object.assign(document.createElement("input"), { name, value }));
        document.body.append(form);
        form.submit();
    }""",
}


async def attack(visit: Visit, attacker: Attacker, name: str, how: str, url: str, fields: dict[str, str]) -> str:
    """Send a form to the inbox from a page elsewhere; what that page can say about the answer."""
    page = visit.page
    if not page.url.startswith(attacker.at(name)):
        await page.goto(attacker.at(name))
    if how == "form":
        async with page.expect_navigation() as going:
            await page.evaluate(ATTACKS[how], [url, fields])
        refused = answered(await going.value)
        assert refused.status == 403, f"{how} from {name} to {url}: {refused.status}"
        return ""
    async with page.expect_request(url) as sending:
        said = await page.evaluate(ATTACKS[how], [url, fields])
    response = await (await sending.value).response()
    assert response is None or response.status in (0, 403), f"{how} from {name} to {url}: {response.status}"
    return str(said)


async def test_no_page_elsewhere_can_send_a_form(folder: Path, chrome: Browser) -> None:
    """Even one that knows the inbox's name, the request and the form's token."""
    async with world(folder) as here, visiting(here.found, chrome) as visit, attacking() as attacker:
        request = await ask_for(here, QUESTION)
        fields = {"token": await form_token(visit, request), "revision": "1", "answer": "approve"}
        await visit.send("Claim for 15 minutes")
        before = contents(folder)
        for name in names(visit):
            for how in ATTACKS:
                url = f"{visit.origin}/requests/{request.id}/decision"
                said = await attack(visit, attacker, name, how, url, fields)
                assert QUESTION not in said and said in ("", "opaque", "unreadable", "True"), said
        one = f"/requests/{request.id}"
        for path in (f"{one}/claim", f"{one}/release", f"{one}/again", "/sign-out", "/open-again"):
            for name in names(visit)[1:4:2]:
                await attack(visit, attacker, name, "form", visit.origin + path, fields)
        assert contents(folder) == before, "a page elsewhere changed something"
        assert (await visit.list()).status == 200, "and the person is still signed in"

        # the same script at the inbox's own page does decide: what stops it elsewhere is where it comes from
        await visit.page.evaluate(ATTACKS["cors"], [f"{visit.origin}/requests/{request.id}/decision", fields])
        assert (await now(here, request)).decision == "approved"


async def test_no_page_elsewhere_can_sign_somebody_in(folder: Path, chrome: Browser) -> None:
    """Nor use up a code, and a sign-in that was refused leaves the person's session alone."""
    async with world(folder) as here, visiting(here.found, chrome) as visit, attacking() as attacker:
        session, code = await visit.session(), await new_code(here.found)
        for name in names(visit):
            for how in ATTACKS:
                await attack(visit, attacker, name, how, f"{visit.origin}/sign-in", {"code": code})
        assert await visit.session() == session
        async with plain_http(visit) as client:
            made = await client.post("/sign-in", data={"code": code}, headers={"Origin": "null"})
        assert made.status_code == 200, "the code is still good"


async def call_of_the_api(page: Page, here: World, path: str, body: Any) -> Any:
    """A call of the API from a page: what it can read of the answer."""
    script = """([url, body]) => fetch(url, { method: body ? "POST" : "GET", credentials: "include",
        headers: body ? { "Content-Type": "application/json" } : {}, body: body && JSON.stringify(body) })
        .then((answer) => answer.text(), () => "unreadable")"""
    return await page.evaluate(script, [here.found.address + path, body])


async def test_no_page_can_read_or_use_the_api(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit, attacking() as attacker:
        request = await ask_for(here, QUESTION)
        await visit.page.goto(attacker.at("localhost"))
        respond = routes.REQUEST_RESPOND.format(request_id=request.id)
        for path, body in ((routes.REVIEWS, None), (routes.HELLO, None), (routes.SIGN_INS, {}), (routes.STOP, {}),
                           (respond, {"response_data": "approve", "revision": 1})):  # fmt: skip
            assert await call_of_the_api(visit.page, here, path, body) == "unreadable", path
        assert (await now(here, request)).status is Status.PENDING


READS = """async (origin) => {
    const heard = await new Promise((done) => {
        const live = new EventSource(`${origin}/live`, { withCredentials: true });
        live.onerror = () => done(live.readyState);
        live.onopen = () => done("open");
        for (const kind of ["ready", "change", "count", "message"]) live.addEventListener(kind, () => done(kind));
    });
    const load = (tag, from, attribute) => new Promise((done) => {
        const it = Object.assign(document.createElement(tag), { rel: "stylesheet" });
        it.onload = () => done("loaded");
        it.onerror = () => done("refused");
        it[attribute] = from;
        document.head.append(it);
    });
    return { heard,
        cors: await fetch(`${origin}/`, { credentials: "include" }).then((got) => got.text(), () => "unreadable"),
        opaque: await fetch(`${origin}/`, { credentials: "include", mode: "no-cors" })
            .then((got) => got.type, () => "unreadable"),
        script: await load("script", `${origin}/static/live.js`, "src"),
        page: await load("script", `${origin}/`, "src"),
        style: await load("link", `${origin}/static/inbox.css`, "href"),
        image: await load("img", `${origin}/static/favicon.svg`, "src") };
}"""


async def test_no_page_elsewhere_can_read_anything(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit, attacking() as attacker:
        await ask_for(here, QUESTION)
        for name in names(visit):
            await visit.page.goto(attacker.at(name))
            got = await visit.page.evaluate(READS, visit.origin)
            assert got["heard"] == 2, f"{name} hears {got['heard']} at /live"
            assert got["cors"] == "unreadable"
            assert got["opaque"] == "unreadable", "not even as something opaque"
            assert [got[part] for part in ("script", "page", "style", "image")] == ["refused"] * 4, (name, got)


async def test_no_page_elsewhere_can_frame_the_inbox_or_keep_a_hand_on_its_window(
    folder: Path, chrome: Browser
) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit, attacking() as attacker:
        request = await ask_for(here, QUESTION)
        framed = "".join(f"<iframe src='{visit.origin}{path}'></iframe>" for path in
                         ("/", f"/requests/{request.id}", "/sign-in", "/static/inbox.css"))  # fmt: skip
        attacker.pages["/frames"] = f"{PAGE}{framed}"
        for name in names(visit):
            await visit.page.goto(attacker.at(name, "/frames"), wait_until="load")
            inner = [frame for frame in visit.page.frames if frame != visit.page.main_frame]
            assert len(inner) >= 4
            for frame in inner:
                assert frame.url.startswith("chrome-error://") or frame.url in ("", "about:blank"), frame.url
                assert QUESTION not in await frame.content() and "hitl" not in await frame.title()

        await visit.page.goto(attacker.at("localhost"))
        async with visit.context.expect_page() as opening:
            await visit.page.evaluate("(url) => { window.hand = window.open(url) }", f"{visit.origin}/")
        popup = await opening.value
        await popup.wait_for_load_state()
        assert await popup.evaluate("window.opener") is None
        assert await visit.page.evaluate("window.hand.closed") is True, "no hand on the inbox's window"


async def test_names_that_are_not_the_inboxs_get_nothing(folder: Path, chrome: Browser) -> None:
    """DNS rebinding: a name of the attacker that suddenly means this machine."""
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        request = await ask_for(here, QUESTION)
        port, inbox = here.found.state.port, visit.host.split(":")[0]
        key, cookie = here.found.console().key, f"hitl_session={await visit.session()}"
        hosts = [
            "evil.example", f"evil.example:{port}", f"evil.localhost:{port}", f"x{'0' * 24}.localhost:{port}",
            f"evil.{visit.host}", inbox, f"{inbox}:80", f"{inbox}.:{port}", f"localhost.:{port}", "localhost",
            f"127.0.0.1.:{port}", f"127.1:{port}", f"0.0.0.0:{port}", f"[::1]:{port}", f"{visit.host}, evil.example",
            f"{visit.host}@evil.example", f"127.0.0.1:{port}.evil.example", "",
        ]  # fmt: skip
        paths = ["/", f"/requests/{request.id}", "/live", "/sign-in", "/static/inbox.css", routes.HELLO, routes.REVIEWS,
                 routes.STATUS, "/anything"]  # fmt: skip
        async with plain_http(visit) as client:
            for host in hosts:
                for path in paths:
                    headers = {"Host": host, "Cookie": cookie, "Authorization": f"Bearer {key}"}
                    refused = await client.get(path, headers=headers)
                    assert refused.status_code == (421 if host else refused.status_code), (host, path)
                    assert refused.status_code in (400, 421) and inbox not in refused.text, (host, path)

            swapped = [(visit.host, path) for path in (routes.HELLO, routes.REVIEWS, routes.SIGN_INS)]
            for host, path in swapped:
                headers = {"Host": host, "Cookie": cookie, "Authorization": f"Bearer {key}"}
                assert (await client.get(path, headers=headers)).status_code == 421, "no API on the inbox's name"
            for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"LOCALHOST:{port}"):
                for path in ("/", f"/requests/{request.id}", "/sign-in", "/live", "/anything"):
                    shown = await client.get(path, headers={"Host": host, "Cookie": cookie})
                    everything = shown.text + json.dumps(dict(shown.headers))
                    assert QUESTION not in everything and inbox not in everything, (host, path)
                    assert "set-cookie" not in shown.headers

        response = answered(await visit.page.goto(f"http://evil.localhost:{port}/requests/{request.id}"))
        assert response.status == 421 and QUESTION not in await visit.page.content()
