"""Somebody in a real browser at a team's server. `HITL_TEST_SCREENSHOTS=FOLDER` keeps pictures of where they came."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.served.team import Team
from tests.served.visitor import PASSWORD
from tests.world import WAIT

WANTED = os.environ.get("HITL_TEST_SCREENSHOTS")
"""Read here, because no test sees a setting of this machine."""


@dataclass
class Person:
    """Somebody with a browser of their own."""

    on: Team
    page: Page

    @classmethod
    async def of(cls, on: Team, chrome: Browser, window: ViewportSize, *, touch: bool = False) -> Person:
        """A fresh browser profile."""
        context = await chrome.new_context(viewport=window, has_touch=touch, is_mobile=touch)
        context.set_default_timeout(WAIT * 1000)
        return cls(on, await context.new_page())

    async def go(self, path: str) -> None:
        """Open a page, which has to be there, and to fit."""
        answer = await self.page.goto(self.on.origin + path)
        assert answer is not None and answer.status == 200, (path, answer and answer.status)
        await self.fits()

    async def fits(self) -> None:
        """Nothing but the navigation's row scrolls sideways, and that row is one."""
        window = self.page.viewport_size
        assert window is not None
        await expect(self.page.locator("html")).to_have_js_property("scrollWidth", window["width"])
        for row in await self.page.locator(".places ul").all():
            await expect(row).to_have_css("flex-wrap", "nowrap")
        for here in await self.page.locator(".places [aria-current]").all():
            await expect(here).to_be_in_viewport(ratio=0.9)

    async def press(self, name: str) -> str:
        """Send a form; what the next page says."""
        async with self.page.expect_navigation() as going:
            await self.page.get_by_role("button", name=name, exact=True).click()
        answer = await going.value
        assert answer.status == 200, await self.words()
        await self.fits()
        return await self.words()

    async def words(self) -> str:
        """What the page says."""
        return await self.page.locator("main").inner_text()

    async def set_password(self) -> None:
        """On the Account page."""
        for field in ("#new", "#again"):
            await self.page.fill(field, PASSWORD)
        await self.press("Set the password")

    async def picture(self, name: str, *, whole: bool = True) -> None:
        """For somebody to look at; with a journey's name what is not for the docs."""
        if WANTED:
            await self.page.mouse.move(0, 0)
            await self.page.evaluate("scrollTo(0, 0)")
            await self.page.screenshot(path=Path(WANTED) / f"{name}.png", animations="disabled", full_page=whole)
