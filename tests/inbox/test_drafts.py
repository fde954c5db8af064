"""What is typed outlives a reload and a lost session, and nothing of it stays once it was sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.inbox.visit import ask_for, now, visiting
from tests.world import world

pytestmark = pytest.mark.anyio

LEFT = "Object.keys(sessionStorage).filter((key) => key.startsWith('hitl-draft')).length"


async def test_a_draft_outlives_a_reload_and_is_gone_when_it_was_sent(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        config = {"options": ["A", "B", "C"]}
        request = await ask_for(here, "Which?", response_type="multi_select", response_config=config)
        await visit.open(request)
        await expect(page.locator("#draft")).to_be_hidden()
        await page.check("input[value=B]")
        await page.fill("#comment", "half a\nthought")
        await page.reload()
        await expect(page.locator("#draft")).to_contain_text("Your draft was restored")
        assert await page.is_checked("input[value=B]") and await page.input_value("#comment") == "half a\nthought"
        await page.get_by_role("button", name="Discard it").click()
        assert not await page.is_checked("input[value=B]") and await page.input_value("#comment") == ""
        assert await page.evaluate(LEFT) == 0
        await page.check("input[value=C]")
        await visit.send("Send this answer")
        await expect(page.locator("#draft")).to_be_hidden()
        assert await page.evaluate(LEFT) == 0 and (await now(here, request)).response_data == ["C"]


async def test_a_draft_outlives_a_lost_session_and_is_its_persons_only(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        request = await ask_for(here)
        await visit.open(request)
        await page.fill("#comment", "before the session ended")
        await visit.context.clear_cookies()
        await visit.send("Approve", then=401)
        await visit.enter()
        await visit.open(request)
        await expect(page.locator("#draft")).to_contain_text("restored")
        assert await page.input_value("#comment") == "before the session ended"
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_text("This browser can no longer see").wait_for()
        assert await page.evaluate(LEFT) == 0, "whoever comes next finds nothing"


async def test_what_was_typed_for_a_request_that_somebody_else_closed_is_still_shown(
    folder: Path, chrome: Browser
) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        request = await ask_for(here)
        await visit.open(request)
        await visit.page.fill("#comment", "my long thoughts")
        await here.reviewer.answer(request.id, "reject")
        await visit.page.reload()
        await expect(visit.page.locator("#draft")).to_contain_text("it was not sent: my long thoughts")
        await visit.page.get_by_role("button", name="Discard it").click()
        await visit.page.reload()
        await expect(visit.page.locator("#draft")).to_be_hidden()
