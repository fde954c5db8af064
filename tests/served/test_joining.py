"""People find their way into a loop of a team's server, and nobody gets in unasked (H10)."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Browser, BrowserContext, Page

from hitl_mcp.contract import routes
from hitl_mcp.sdk.local import ask
from tests.browser import browser
from tests.served.pictures import picture_server
from tests.served.team import Team, team

pytestmark = pytest.mark.anyio
PICTURES = os.environ.get("HITL_TEST_SCREENSHOTS")


@pytest.fixture
async def chrome() -> AsyncGenerator[Browser]:
    """A real browser."""
    async with browser() as started:
        yield started


async def signed_in(on: Team, context: BrowserContext, email: str | None = None) -> Page:
    """A page of somebody who typed a code from the server's terminal."""
    page = await context.new_page()
    await page.goto(f"{on.origin}/sign-in")
    assert "Whoever runs this server" in await page.inner_text("main")
    await page.fill("#code", await on.code(email))
    await page.locator("form[action='/sign-in'] button").click()
    await page.wait_for_url(f"{on.origin}/")
    return page


def over_http(on: Team) -> httpx2.AsyncClient:
    """A program that says it comes from the server's own pages. Names below localhost it cannot look up."""
    host = on.origin.removeprefix("http://")
    address = f"http://127.0.0.1:{on.services.keys.port}"
    return httpx2.AsyncClient(base_url=address, headers={"Origin": on.origin, "Host": host})


async def picture(page: Page, name: str) -> None:
    """For somebody to look at."""
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


async def test_a_newcomer_asks_a_member_lets_them_in_and_they_decide(folder: Path, chrome: Browser) -> None:
    async with team(folder) as on:
        key = on.endpoint(await on.key())
        made = await ask(key, "POST", routes.LOOPS, {"name": "Payments", "icon": "lock", "description": "Money moves"})
        loop_id = made["loop"]["id"]
        path = routes.LOOP_REQUESTS.format(loop_id=loop_id)
        asked = await ask(key, "POST", path, {"kind": "approval", "request_text": "Refund 40 EUR to Ada?"})
        owner = await signed_in(on, await chrome.new_context())

        context = await chrome.new_context()
        ada = await context.new_page()
        assert made["join_url"].startswith(f"{on.origin}/join/")
        await ada.goto(made["join_url"])
        assert "Join Payments" in await ada.inner_text("main")
        await picture(ada, "join")
        await ada.fill("#name", "Ada Lovelace")
        await ada.fill("#email", "Ada@Example.com")
        await ada.get_by_role("button", name="Ask to join").click()
        await ada.get_by_role("link", name="To the inbox").click()
        words = await ada.inner_text("main")
        assert "Nobody has let you in yet" in words and "Refund" not in words
        refused = await ada.goto(f"{on.origin}/requests/{asked['request_id']}")
        assert refused is not None and refused.status == 404
        assert "Refund" not in await ada.content()

        members = await ask(key, "GET", routes.MEMBERS.format(loop_id=loop_id))
        assert [(one["email"], one["status"]) for one in members["members"]][1:] == [("ada@example.com", "pending")]
        await owner.reload()
        await owner.get_by_role("link", name="1 person waits to be let in").click()
        words = await owner.inner_text("main")
        assert "Ada Lovelace" in words and "ada@example.com" in words and made["invite_code"] in words
        await picture(owner, "people")
        await owner.get_by_role("button", name="Let Ada Lovelace in").click()
        await owner.wait_for_url(f"{on.origin}/people")
        assert "Waiting to be let in" not in await owner.inner_text("main")

        await ada.goto(f"{on.origin}/")
        await ada.get_by_role("link", name="Refund 40 EUR to Ada?").click()
        await ada.get_by_role("button", name="Reject").click()
        await ada.wait_for_selector(".decided")
        seen = await ask(key, "GET", routes.REQUEST.format(request_id=asked["request_id"]))
        assert seen["request"]["response_by_user"]["email"] == "ada@example.com"
        assert (seen["request"]["decision"], seen["request"]["response_assurance"]) == ("rejected", "signed_in")


async def test_a_pending_session_can_do_nothing_and_an_api_key_cannot_confirm(folder: Path) -> None:
    async with team(folder) as on, over_http(on) as stranger:
        key = await on.key()
        made = await ask(on.endpoint(key), "POST", routes.LOOPS, {"name": "Payments", "icon": "lock"})
        join = made["join_url"].removeprefix(on.origin)
        loop_id = made["loop"]["id"]
        path = routes.LOOP_REQUESTS.format(loop_id=loop_id)
        asked = await ask(on.endpoint(key), "POST", path, {"kind": "approval", "request_text": "Refund?"})
        wrong = await stranger.post(join, data={"name": "M", "email": "not an address"})
        assert wrong.status_code == 422 and "e-mail address" in wrong.text
        joined = await stranger.post(join, data={"name": "Mallory", "email": "m@example.com"})
        assert joined.status_code == 200 and stranger.cookies.get("hitl_session")
        again = await stranger.post(join)
        assert again.status_code == 409
        listed = await stranger.get("/")
        assert "Refund" not in listed.text
        token = listed.text.partition('name="token" value="')[2].partition('"')[0]
        members = (await ask(on.endpoint(key), "GET", routes.MEMBERS.format(loop_id=loop_id)))["members"]
        mallory = next(one["user_id"] for one in members if one["status"] == "pending")
        confirm = {"token": token, "loop": loop_id, "user": mallory}
        assert (await stranger.post("/people/confirm", data=confirm)).status_code == 403
        one = f"/requests/{asked['request_id']}"
        decide = {"token": token, "revision": "1", "answer": "approve"}
        for action in ("decision", "claim", "release", "again"):
            assert (await stranger.post(f"{one}/{action}", data=decide)).status_code == 404, action
        bearer = {"Authorization": f"Bearer {key}", "Cookie": f"hitl_session={key}"}
        for where in ("people/confirm", "people/decline"):
            assert (await stranger.post(f"/{where}", data=confirm, headers=bearer)).status_code == 401
        async with over_http(on) as another:
            taken = await another.post(join, data={"name": "Mallory 2", "email": "M@example.com"})
        assert taken.status_code == 409 and "hitl_session" not in taken.headers.get("set-cookie", "")
        foreign = await stranger.post(join, data={"name": "x", "email": "x@example.com"},
                                      headers={"Origin": "https://evil.example"})  # fmt: skip
        assert foreign.status_code == 403
        assert (await stranger.get("/join/ZZZZZZZZZ")).status_code == 404
        current = await ask(on.endpoint(key), "GET", routes.REQUEST.format(request_id=asked["request_id"]))
        assert current["status"] == "pending"


async def test_an_invited_address_waits_and_a_declined_newcomer_is_gone(folder: Path, chrome: Browser) -> None:
    async with team(folder) as on:
        key = on.endpoint(await on.key())
        loop_id = (await ask(key, "GET", routes.LOOPS))["loops"][0]["id"]
        where = routes.MEMBERS.format(loop_id=loop_id)
        for name in ("grace", "eve"):
            await ask(key, "POST", where, {"email": f"{name}@example.com"})
        owner = await signed_in(on, await chrome.new_context())
        await owner.goto(f"{on.origin}/people")
        await owner.get_by_role("button", name="Let grace@example.com in").click()
        await owner.wait_for_url(f"{on.origin}/people")
        await owner.get_by_role("button", name="Decline").click()
        await owner.wait_for_url(f"{on.origin}/people")
        known = {one["email"]: one["status"] for one in (await ask(key, "GET", where))["members"] if one["email"]}
        assert known == {"grace@example.com": "active"}
        grace = await signed_in(on, await chrome.new_context(), "grace@example.com")
        assert "grace@example.com" in await grace.inner_text("header")


async def test_an_image_is_shown_as_it_was_when_it_was_asked(folder: Path, chrome: Browser) -> None:
    async with picture_server() as (address, pictures), team(folder, outgoing_allow="127.0.0.1") as on:
        key = on.endpoint(await on.key())
        loop_id = (await ask(key, "GET", routes.LOOPS))["loops"][0]["id"]
        body = {"kind": "approval", "type": "image", "image_url": f"{address}/a.png", "request_text": "Publish it?",
                "file_url": "https://files.example/contract.pdf", "file_name": "contract.pdf"}  # fmt: skip
        asked = await ask(key, "POST", routes.LOOP_REQUESTS.format(loop_id=loop_id), body)
        assert len(pictures.asked) == 1
        pictures.fail = True
        page = await signed_in(on, await chrome.new_context())
        await page.goto(f"{on.origin}/requests/{asked['request_id']}")
        width = await page.eval_on_selector(".picture img", "image => image.decode().then(() => image.naturalWidth)")
        assert width == 32
        assert "not checked by hitl_mcp" in await page.inner_text("main")
        await picture(page, "image")
        source = await page.get_attribute(".picture img", "src")
        async with over_http(on) as stranger:
            assert (await stranger.get(str(source))).status_code == 401
        assert len(pictures.asked) == 1
