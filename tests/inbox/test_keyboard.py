"""Every action by one key, none while somebody types, and none that decides by itself (WCAG 2.1.4)."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from hitl_mcp.contract.states import Status
from tests.inbox.visit import ask_for, now, visiting
from tests.world import world

pytestmark = pytest.mark.anyio


async def test_from_the_list_to_a_decision_and_on_to_the_next(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page, press = visit.page, visit.page.keyboard.press
        first = await ask_for(here, "Alpha?", priority="high")
        config = {"options": ["A", "B"]}
        second = await ask_for(here, "Which of these?", response_type="single_select", response_config=config)
        await visit.list()
        await visit.is_live()
        await press("/")
        assert await page.evaluate("document.activeElement.id") == "search"
        await page.keyboard.type("jko?")
        assert await page.input_value("#search") == "jko?" and "/requests/" not in page.url, "typing is only typing"
        await press("Escape")
        await press("j")
        await press("j")
        assert await page.evaluate("document.activeElement.id") == f"open-{second.id}"
        await press("k")
        await press("o")
        await page.wait_for_url(f"{visit.origin}/requests/{first.id}")
        await visit.is_live()
        await press("a")
        assert await page.evaluate("document.activeElement.value") == "approve"
        assert (await now(here, first)).status is Status.PENDING, "choosing decides nothing"
        await press("t")
        await page.keyboard.type("ran")
        await press("Control+Enter")
        await page.wait_for_selector(".decided")
        done = await now(here, first)
        assert (done.decision, done.response_comment) == ("approved", "ran")
        await visit.is_live()
        await press("o")
        await page.wait_for_url(f"{visit.origin}/requests/{second.id}")
        await visit.is_live()
        await press("c")
        await page.get_by_text("You have claimed this request").wait_for()
        await visit.is_live()
        await press("2")
        assert await page.is_checked("input[value=B]")
        await press("Control+Enter")
        await page.wait_for_selector(".decided")
        assert (await now(here, second)).response_data == "B"
        await visit.is_live()
        await press("g")
        await press("h")
        await page.wait_for_url(f"{visit.origin}/history")
        await visit.is_live()
        await press("g")
        await press("i")
        await page.wait_for_url(f"{visit.origin}/")


async def test_sending_with_nothing_chosen_says_so_and_sends_nothing(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        request = await ask_for(here)
        await visit.open(request)
        await visit.is_live()
        await visit.page.fill("#comment", "no choice")
        await visit.page.keyboard.press("Control+Enter")
        await expect(visit.page.locator("#choose-first")).to_have_text("Choose an answer first.")
        assert (await now(here, request)).status is Status.PENDING


async def test_the_list_of_keys_opens_and_single_keys_can_be_turned_off_for_good(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        request = await ask_for(here)
        await visit.open(request)
        await visit.is_live()
        await page.keyboard.press("?")
        await expect(page.locator("#keys")).to_be_visible()
        await page.keyboard.press("u")
        assert page.url.endswith(request.id), "no key works behind the open list"
        await page.uncheck("#keys-on")
        await page.keyboard.press("Escape")
        await expect(page.locator("#keys")).to_be_hidden()
        await page.reload()
        await visit.is_live()
        await page.keyboard.press("a")
        assert await page.evaluate("document.activeElement.tagName") == "BODY"
        await page.get_by_role("button", name="Keyboard shortcuts").click()
        assert not await page.is_checked("#keys-on")
        await page.check("#keys-on")
        await page.keyboard.press("Escape")
        await page.keyboard.press("u")
        await page.wait_for_url(f"{visit.origin}/")
