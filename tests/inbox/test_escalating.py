"""A ladder is set up in its page, refusals are said in words, and a request climbs from its own page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from hitl_mcp.contract import routes
from tests.inbox.visit import ask_for, now, visiting
from tests.world import world

pytestmark = pytest.mark.anyio


async def test_an_owner_sets_a_ladder_up_and_a_reviewer_climbs_it(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome, java_script_enabled=False) as me:
        made = await here.raw("POST", routes.LOOPS, {"name": "Leads", "icon": "bell"})
        leads = made["loop"]["id"]
        ladder = f"{me.origin}/loops/{here.loop_id}/escalation"
        await me.page.goto(ladder)
        await me.page.fill("#s0-after_percent", "50")
        assert "must do something" in await me.send("Save the ladder", then=422)
        assert await me.page.input_value("#s0-after_percent") == "50"
        await me.page.select_option("#s0-to_loop", leads)
        await me.page.select_option("#s0-raise_priority_to", "high")
        await me.page.fill("#s0-extend_minutes", "5")
        await me.send("Save the ladder")
        people = me.page.locator("[name=s0-to_people]")
        assert await people.count() == 1, "those of the loop that it leads to can be named"
        await people.check()
        await me.send("Save the ladder")
        assert await people.is_checked()
        await people.uncheck()
        await me.send("Save the ladder")
        await me.page.goto(f"{me.origin}/loops/{leads}/escalation")
        await me.page.select_option("#s0-to_loop", here.loop_id)
        assert "leads in a circle" in await me.send("Save the ladder", then=422)

        asked = await ask_for(here, "Delete the archive?")
        await me.open(asked)
        await me.page.locator("#more-escalate summary").click()
        assert "Write why" in await me.send("Escalate it", then=422)
        await me.page.locator("#more-escalate summary").click()
        await me.page.fill("#reason", "Above my limit")
        words = await me.send("Escalate it")
        assert "Leads" in words and "Above my limit" in words and "step 1 of 1" in words
        stands = await now(here, asked)
        assert (stands.loop_id, stands.priority.value, stands.revision) == (leads, "high", 2)
        assert await me.page.locator("#more-escalate").count() == 0

        await me.page.goto(ladder)
        await me.page.check("[name=s0-remove]")
        await me.send("Save the ladder")
        assert (await ask_for(here)).escalation is None
