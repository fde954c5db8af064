"""The whole way without a mouse: every stop can be seen, and everything that is pressed is reached by Tab."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from playwright.async_api import Page, expect

from hitl_mcp.contract import routes
from tests.access.gallery import OWNER, REVIEWER, VIEWER, Gallery
from tests.inbox.test_answers import TYPES, Type
from tests.receivers import Receiver, receiving
from tests.served.visitor import PASSWORD

pytestmark = pytest.mark.anyio

MOST = 80
_AT = """() => { const it = document.activeElement;
    return { id: it.id, tag: it.localName, type: it.type ?? "", name: it.name ?? "", value: it.value ?? "",
        words: (it.innerText || it.getAttribute("aria-label") || "").trim().replace(/\\s+/g, " ") }; }"""


async def tab_to(page: Page, **wanted: str) -> None:
    """Press Tab until the keyboard is on what has these: its words begin so, the rest is equal."""
    for _ in range(MOST):
        await page.keyboard.press("Tab")
        at: dict[str, Any] = await page.evaluate(_AT)
        if all(at[key].startswith(value) if key == "words" else at[key] == value for key, value in wanted.items()):
            return
    raise AssertionError(f"Tab never comes to {wanted} on {page.url}")


async def press(page: Page, **wanted: str) -> None:
    """Tab to a button or link that leads on, and press Enter."""
    await tab_to(page, **wanted)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def _at(gallery: Gallery, who: str, path: str = "/") -> Page:
    page = await gallery.people[who].context.new_page()
    await page.goto(gallery.origin + path)
    return page


async def _now(gallery: Gallery, request: str) -> dict[str, Any]:
    return (await gallery.call("GET", routes.REQUEST.format(request_id=request)))["request"]


async def test_signing_in_and_to_the_content(gallery: Gallery) -> None:
    context = await gallery.chrome.new_context()
    try:
        page = await context.new_page()
        await page.goto(f"{gallery.origin}/sign-in")
        await tab_to(page, id="code")
        await page.keyboard.type(await gallery.on.code("reviewer@example.com"))
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        await page.wait_for_url(f"{gallery.origin}/")
        await page.keyboard.press("Tab")
        assert (await page.evaluate(_AT))["words"] == "Skip to the content"
        await page.keyboard.press("Enter")
        assert (await page.evaluate(_AT))["id"] == "main", "the way past the navigation leads to the content"
        for link in ("History",):
            await page.goto(gallery.origin)
            await press(page, words=link)
            assert await page.locator("h1").count() == 1
        await press(page, words="Sign out")
        await page.get_by_text("Signed out").first.wait_for()
    finally:
        await context.close()


@pytest.mark.parametrize("kind", TYPES, ids=[f"{at} {kind.name}" for at, kind in enumerate(TYPES)])
async def test_answering_each_type(gallery: Gallery, kind: Type) -> None:
    request = await gallery.ask("By keyboard", **kind.fields)
    page = await _at(gallery, REVIEWER, f"/requests/{request}")
    try:
        match kind.control:
            case "button":
                label = {"approve": "Approve", "false": "Keep them"}[str(kind.good)]
                await tab_to(page, id="comment")
                await page.keyboard.type("by keyboard")
                await press(page, words=label)
            case "field":
                await tab_to(page, id="answer-input")
                await page.keyboard.press("Control+A")
                await page.keyboard.type(str(kind.good))
            case _:
                await _choose(page, kind)
        if kind.control != "button":
            await press(page, words="Send this answer")
        await page.wait_for_selector(".decided")
        assert (await _now(gallery, request))["response_data"] == kind.answer
    finally:
        await page.close()


async def _choose(page: Page, kind: Type) -> None:
    """Tick boxes by Space; go to one of several by the arrows."""
    if kind.control == "checkbox":
        for value in sorted(kind.good):
            await tab_to(page, name="answer", value=value)
            await page.keyboard.press("Space")
        return
    await tab_to(page, name="answer", type="radio")
    await page.keyboard.press("Space")
    for _ in range(10):
        if (await page.evaluate(_AT))["value"] == kind.good[0]:
            return
        await page.keyboard.press("ArrowDown")
    raise AssertionError("the arrows never come to the answer")


async def test_claiming_releasing_and_the_list_of_keys(gallery: Gallery) -> None:
    request = await gallery.ask("Claim me")
    page = await _at(gallery, REVIEWER, f"/requests/{request}")
    try:
        await press(page, words="Claim for 15 minutes")
        assert (await _now(gallery, request))["status"] == "claimed"
        await press(page, words="Release")
        assert (await _now(gallery, request))["status"] == "pending"
        await page.wait_for_selector("#live[data-state=live]")
        await page.keyboard.press("?")
        await expect(page.locator("dialog[open]")).to_be_visible()
        for _ in range(5):
            await page.keyboard.press("Tab")
            inside = await page.evaluate(
                "(it => it === document.body || !!it.closest('dialog'))(document.activeElement)"
            )
            assert inside, "Tab leaves the open dialog"
        await page.keyboard.press("Escape")
        await expect(page.locator("dialog[open]")).to_have_count(0)
        await page.keyboard.press("u")
        await page.wait_for_url(f"{gallery.origin}/")
    finally:
        await page.close()


async def test_many_at_once_but_one(gallery: Gallery) -> None:
    asked = [await gallery.ask(f"Restart host {number}?") for number in (1, 2, 3)]
    page = await _at(gallery, REVIEWER, f"/similar/{await gallery.similar(asked[0])}")
    try:
        await tab_to(page, name="item", value=asked[1])
        await page.keyboard.press("Space")
        await press(page, words="Approve")
        found = [(await _now(gallery, request))["decision"] for request in asked]
        assert found == ["approved", None, "approved"]
    finally:
        await page.close()


async def test_letting_somebody_in(gallery: Gallery) -> None:
    path = routes.MEMBERS.format(loop_id=gallery.loop_id)
    made = await gallery.call("POST", path, {"email": "late@example.com", "name": "Late Comer"})
    page = await _at(gallery, OWNER, "/people")
    try:
        await press(page, words="Let Late Comer in")
        listed = (await gallery.call("GET", path))["members"]
        assert {one["user_id"]: one["status"] for one in listed}[made["member"]["user_id"]] == "active"
    finally:
        await page.close()


async def _write(page: Page, id: str, text: str) -> None:
    """Tab to a field and type over what stands there."""
    await tab_to(page, id=id)
    await page.keyboard.press("Control+A")
    await page.keyboard.type(text)


async def _pick(page: Page, id: str, words: str) -> None:
    """Tab to a list of choices and type the beginning of one."""
    await tab_to(page, id=id)
    await page.keyboard.type(words)
    assert (await page.locator(f"#{id} option:checked").inner_text()).startswith(words)


async def test_a_loop_is_made_edited_and_somebody_is_invited(gallery: Gallery) -> None:
    page = await _at(gallery, OWNER, "/loops")
    try:
        await press(page, words="New loop")
        await tab_to(page, words="Make the loop")
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "name", "the browser leads to what is missing"
        await page.keyboard.type("Night shift")
        await _write(page, "guidelines", "Wake nobody.")
        await press(page, words="Make the loop")
        loop_id = page.url.rpartition("/")[2]
        await press(page, words="Edit this loop")
        await _write(page, "description", "What happens at night")
        await _write(page, "undo_seconds", "20")
        await _pick(page, "allow_client_answers", "refused")
        await press(page, words="Save")
        words = await page.inner_text("main")
        assert "Wake nobody." in words and "for 20 seconds after the click" in words
        made = (await gallery.call("GET", routes.LOOP.format(loop_id=loop_id)))["loop"]
        assert (made["name"], made["description"]) == ("Night shift", "What happens at night")

        await _pick(page, "code-role", "viewer")
        await press(page, words="Make a code")
        assert "may ask to join as viewer" in await page.inner_text("main")
        await _write(page, "invite-email", "late@example.com")
        await _pick(page, "mail-role", "owner")
        await press(page, words="Send an invitation")
        assert "late@example.com was sent an invitation as owner" in await page.inner_text("main")
        await press(page, words="Withdraw late@example.com")
        assert "late@example.com" not in await page.inner_text("main")
    finally:
        await page.close()


async def test_a_key_is_made_and_revoked(gallery: Gallery) -> None:
    page = await _at(gallery, OWNER, "/keys")
    try:
        await _write(page, "name", "By keyboard")
        await tab_to(page, name="scope", value="loops:read")
        ticked = await page.is_checked("[name=scope][value='loops:read']")
        await page.keyboard.press("Space")
        assert await page.is_checked("[name=scope][value='loops:read']") is not ticked
        await page.keyboard.press("Space")
        await press(page, words="Make the key")
        key = await page.inner_text("#key")
        async with gallery.http(Authorization=f"Bearer {key}") as program:
            assert (await program.get(routes.LOOPS)).status_code == 200
            await press(page, words="I have copied them")
            assert key not in await page.content()
            await press(page, words="Revoke By keyboard")
            await press(page, words="Keep it")
            await press(page, words="Revoke By keyboard")
            await press(page, words="Revoke the key")
            assert await page.locator("a", has_text="Revoke By keyboard").count() == 0
            gallery.clock.move(3)  # "within two seconds"
            assert (await program.get(routes.LOOPS)).status_code == 401
    finally:
        await page.close()


async def test_changing_ones_account(gallery: Gallery) -> None:
    former = gallery.people[VIEWER].session
    await gallery.sign_in(VIEWER)
    page = await _at(gallery, VIEWER, "/account")
    try:
        await _write(page, "name", "Vic by keyboard")
        await press(page, words="Change the name")
        assert "Vic by keyboard" in await page.inner_text("header")
        sessions = page.locator("#sessions ~ ul li")
        before = await sessions.count()
        await press(page, words="End it")
        assert await sessions.count() == before - 1
        await _write(page, "current", "not this one at all")
        await _write(page, "new", "six white swans")
        await _write(page, "again", "six white swans")
        await press(page, words="Change the password")
        assert "The current password is another one" in await page.inner_text("main")
        for field, text in {"current": PASSWORD, "new": "six white swans", "again": "six white swans"}.items():
            await _write(page, field, text)
        await press(page, words="Change the password")
        assert "The password was set" in await page.inner_text("main")
        assert await sessions.count() == 1
        async with gallery.http() as client:
            form = {"email": "viewer@example.com", "password": "six white swans"}
            assert (await client.post("/sign-in/password", data=form)).status_code == 200
            out = await client.get("/account", headers={"Cookie": f"hitl_session={former}"})
            assert out.status_code == 401, "a session that was ended is"
    finally:
        await page.close()


@pytest.fixture
def there() -> Generator[Receiver]:
    """Somebody else's web server."""
    with receiving() as opened:
        yield opened


async def test_a_webhook_is_added_tried_and_removed(gallery: Gallery, there: Receiver) -> None:
    page = await _at(gallery, OWNER, "/webhooks")
    try:
        await _write(page, "url", f"http://127.0.0.1:{there.port}/keyboard")
        await tab_to(page, name="events", value="request.completed")
        await page.keyboard.press("Space")
        await _write(page, "description", "By keyboard")
        await press(page, words="Add")
        words = await page.inner_text("main")
        assert "whsec_" in words and "request.completed" in words and "By keyboard" in words
        await press(page, words="Send a test")
        assert (await there.next(1))[0].path == "/keyboard"
        await press(page, words="Look again")
        assert "webhook.test" in await page.inner_text(".sent")
        await press(page, words="Disable")
        assert "disabled" in (await page.inner_text("main")).lower()
        await tab_to(page, words="Remove this webhook")
        await page.keyboard.press("Enter")
        await press(page, words="Remove it")
        assert "By keyboard" not in await page.inner_text("main")
    finally:
        await page.close()
