"""Forms on the inbox's page: every field, its prefill, its faults, and the agent's words in all of them."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from hitl_mcp.contract.states import Status
from hitl_mcp.service.clock import moment
from tests.inbox.test_agents_words import HOSTILE, INVISIBLE, watching
from tests.inbox.test_narrow import LONG, WIDTH, fits
from tests.inbox.visit import Visit, ask_for, change, now, visiting
from tests.world import SimulatedClock, World, world

pytestmark = pytest.mark.anyio

DRAFT = "Heat pumps move heat.\r\nThey work in winter."
FIELDS: list[dict[str, Any]] = [
    {"name": "article", "type": "content_display", "label": "The article", "initial": "## Heat pumps\n\n*Short.*"},
    {"name": "query", "type": "code_display", "label": "Its query", "initial": "SELECT *\nFROM articles"},
    {"name": "visits", "type": "table_display", "label": "Visits", "initial": [{"day": "Mon", "n": 3}, {"day": "Tue"}]},
    {"name": "approved", "type": "boolean", "label": "May it go out?", "required": True},
    {"name": "title", "type": "text", "label": "Title", "required": True, "initial": "Heat pumps", "max_length": 40},
    {"name": "body", "type": "rich_text", "label": "Text", "initial": DRAFT},
    {"name": "tone", "type": "select", "label": "Tone", "options": ["Dry", "Warm"], "initial": "Dry"},
    {"name": "channels", "type": "checkbox_group", "label": "Channels", "options": ["Blog", "Mail", "Print"],
     "initial": ["Blog"], "required": True},
    {"name": "stars", "type": "rating", "label": "Stars"},
    {"name": "budget", "type": "number", "label": "Budget", "min_value": 0, "max_value": 500, "suffix": "EUR"},
    {"name": "editor", "type": "email", "label": "Editor"},
    {"name": "when", "type": "datetime", "label": "When", "initial": "2026-03-02T09:30:15.5Z"},
    {"name": "note", "type": "text", "label": "A note"},
]  # fmt: skip
UNTOUCHED: dict[str, Any] = {
    "approved": True, "title": "Heat pumps", "body": DRAFT, "tone": "Dry", "channels": ["Blog"], "stars": None,
    "budget": None, "editor": None, "when": "2026-03-02T09:30:15.500000Z", "note": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def in_berlin() -> Generator[None]:
    """The service's own clock is not UTC, so that a time taken for another zone shows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


async def asked(here: World, visit: Visit, **config: Any) -> Any:
    """A form that is open on the page."""
    request = await ask_for(
        here, "Please check this.", response_type="form", response_config={"fields": FIELDS} | config
    )
    await visit.open(request)
    return request


def box(page: Page, title: str) -> Any:
    """The field with this title."""
    return page.locator("#answer-form .field").filter(has_text=title)


async def send_anyhow(page: Page) -> int:
    """Send the form as a browser without checks of its own would; the status of what follows."""
    async with page.expect_navigation() as going:
        await page.evaluate(
            "() => { const f = document.getElementById('answer-form'); f.noValidate = true; "
            "f.querySelector('.send').click() }"
        )
    return (await going.value).status


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
async def test_a_form_sent_back_with_its_one_decision_keeps_what_the_agent_filled_in(
    folder: Path, chrome: Browser, script: bool
) -> None:
    async with world(folder) as here, visiting(here.found, chrome, java_script_enabled=script) as visit:
        request = await asked(here, visit)
        page = visit.page
        assert await page.locator("#answer-form input[value=true]").is_checked() is False, "never preset to yes"
        assert await page.locator("#answer-form input[value=false]").is_checked() is False
        assert "CET" in await box(page, "When").first.inner_text()
        await page.get_by_label("Yes").check()
        words = await visit.send("Send this answer")
        answer = await now(here, request)
        assert answer.status is Status.COMPLETED and answer.decision is None
        assert answer.response_data == UNTOUCHED
        assert "You answered" in words and "May it go out?" in words and "no answer" in words


async def test_a_form_filled_in_comes_to_the_agent_as_typed_values(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        request = await asked(here, visit)
        page = visit.page
        await page.get_by_label("No", exact=True).check()
        await page.get_by_label("Title").fill("Heißpumpen 😀")
        await page.get_by_label("Text").fill("one\n\ntwo <b>")
        await page.get_by_label("Warm").check()
        await page.get_by_label("Blog").uncheck()
        await page.get_by_label("Print").check()
        await box(page, "Stars").first.locator("input[value='4']").check(force=True)
        await page.get_by_label("Budget").fill("12.50")
        await page.get_by_label("Editor").fill("ada@example.com")
        await page.get_by_label("When").fill("2026-07-01T10:00")
        await visit.send("Send this answer")
        assert (await now(here, request)).response_data == {
            "approved": False, "title": "Heißpumpen 😀", "body": "one\n\ntwo <b>", "tone": "Warm",
            "channels": ["Print"], "stars": 4, "budget": 12.5, "editor": "ada@example.com",
            "when": "2026-07-01T08:00:00Z", "note": None,
        }  # fmt: skip


async def test_every_fault_stands_at_its_field_and_on_top_and_nothing_typed_is_lost(
    folder: Path, chrome: Browser
) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        request = await asked(here, visit)
        page = visit.page
        await page.get_by_label("Title").fill("")
        await page.get_by_label("Text").fill("kept <text>")
        await page.get_by_label("Blog").uncheck()
        await page.get_by_label("Budget").fill("501")
        await page.get_by_label("Editor").fill("ada")
        await page.get_by_label("When").fill("")
        await page.fill("#comment", "kept too")
        assert await send_anyhow(page) == 422
        top = await page.inner_text("section.fault")
        faults = {
            "May it go out?": "An answer is needed here", "Title": "An answer is needed here",
            "Channels": "An answer is needed here", "Budget": "must be between 0 and 500",
            "Editor": "must be an e-mail address",
        }  # fmt: skip
        for title, words in faults.items():
            assert f"{title}: " in top and words in top, (title, top)
            assert words in await box(page, title).first.locator("p.fault").inner_text(), title
        assert await page.locator("#answer-form p.fault").count() == len(faults)
        assert await page.get_by_label("Text").input_value() == "kept <text>"
        assert await page.get_by_label("Budget").input_value() == "501"
        assert await page.get_by_label("When").input_value() == "", "what was cleared is not filled in again"
        assert not await page.get_by_label("Blog").is_checked()
        assert await page.input_value("#comment") == "kept too"
        await page.locator("section.fault a", has_text="Editor").click()
        assert (await now(here, request)).status is Status.PENDING


async def test_a_changed_form_keeps_what_was_typed_into_fields_that_are_still_there(
    folder: Path, chrome: Browser
) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        request = await asked(here, visit)
        page = visit.page
        await page.get_by_label("Title").fill("my title")
        await page.get_by_label("Yes").check()
        changed = [{"name": "urgent", "type": "text", "label": "New", "initial": "new"}, *reversed(FIELDS)]
        await change(here, request, response_config={"fields": changed})
        assert await send_anyhow(page) == 409
        assert await page.get_by_label("Title").input_value() == "my title"
        assert await page.get_by_label("New").input_value() == "new"
        assert await page.get_by_label("Yes").is_checked()
        await here.agent.cancel_request(request.id)
        assert await send_anyhow(page) == 409
        unsent = await visit.words()
        assert "What you typed was not used" in unsent and "my title" in unsent and "Title" in unsent


def hostile(text: str, number: int) -> list[dict[str, Any]]:
    """Fields that say a text wherever an agent can say something."""
    words, short = text[:1000], text[:80]
    return [
        {"name": f"s{number}", "type": "content_display", "label": f"1 {short}", "initial": words},
        {"name": f"c{number}", "type": "code_display", "label": f"2 {short}", "initial": words},
        {"name": f"t{number}", "type": "table_display", "label": f"3 {short}", "initial": [{words: words, "x": [1]}]},
        {"name": f"a{number}", "type": "text", "label": f"4 {short}", "initial": words, "placeholder": text[:400]},
        {"name": f"b{number}", "type": "boolean", "label": f"5 {short}", "true_label": f"y {short}",
         "false_label": f"n {short}"},
        {"name": f"o{number}", "type": "select", "label": f"6 {short}", "initial": "v",
         "options": [{"value": "v", "label": f"7 {short}", "description": words[:400]}, f"8 {short}"]},
        {"name": f"n{number}", "type": "number", "label": f"9 {short}", "prefix": text[:20], "suffix": text[-20:]},
        {"name": f"r{number}", "type": "rating", "label": f"10 {short}", "labels": {"1": words, "5": words}},
    ]  # fmt: skip


async def test_nothing_an_agent_puts_into_a_form_runs_or_hides(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, watching(here, chrome) as watched:
        texts = [*HOSTILE, INVISIBLE]
        for start in range(0, len(texts), 6):
            fields = [of for at, text in enumerate(texts[start : start + 6]) for of in hostile(text, start + at)]
            for of in fields:
                of["required"] = True
            request = await ask_for(here, "x", response_type="form", response_config={"fields": fields})
            await watched.visit.open(request)
            await watched.is_harmless()
            assert await send_anyhow(watched.visit.page) == 422
            watched.wrong[:] = [line for line in watched.wrong if "status of 422" not in line]
            await watched.is_harmless()


async def test_a_form_fits_a_small_phone(folder: Path, chrome: Browser) -> None:
    wide = [
        {"name": "w" * 100, "type": "text", "label": LONG, "initial": LONG},
        {"name": "code", "type": "code_display", "label": "l" * 150, "initial": f"SELECT {LONG} FROM {LONG};"},
        {"name": "table", "type": "table_display", "initial": [{f"column {n}": LONG for n in range(12)}]},
        {"name": "rows", "type": "table_display", "label": "Tree", "initial": {"deep": [{"er": LONG}]}},
        {"name": "pick", "type": "select", "options": [{"value": "v" * 100, "label": LONG}], "required": True},
        {"name": "scale", "type": "rating", "scale_min": 100000, "scale_max": 100010},
        {"name": "amount", "type": "number", "prefix": "W" * 20, "suffix": "M" * 20},
        {"name": "day", "type": "datetime"},
        {"name": "mail", "type": "email"},
    ]
    async with (
        world(folder) as here,
        visiting(here.found, chrome, viewport={"width": WIDTH, "height": 640}) as visit,
    ):
        for fields in (FIELDS, wide):
            request = await asked(here, visit, fields=fields)
            await fits(visit.page, "a form")
            assert await send_anyhow(visit.page) == 422
            await fits(visit.page, "a refused form")
            if os.environ.get("SHOTS"):
                await visit.page.screenshot(path=f"{os.environ['SHOTS']}/narrow{len(fields)}.png", full_page=True)
        await here.reviewer.answer(request.id, {"pick": "v" * 100, "w" * 100: LONG})
        await visit.open(request)
        await fits(visit.page, "an answered form")


async def test_when_an_answer_is_wanted_is_shown_and_overdue_is_marked(folder: Path, chrome: Browser) -> None:
    clock = SimulatedClock()
    async with (
        world(folder, clock=clock) as here,
        visiting(here.found, chrome, viewport={"width": WIDTH, "height": 640}) as visit,
    ):
        due = moment(clock() + 3_600_000)
        facts: dict[str, Any] = {"template_id": "t", "content": {"secret words": 1}, "assignees": []}
        request = await ask_for(here, due_at=due, review=facts)
        here_and_now = f"{due.astimezone():%H:%M}"
        for late in (False, True):
            await visit.list()
            card = await visit.page.inner_text(".card")
            assert "wanted by" in card and here_and_now in card and ("overdue" in card) is late
            await fits(visit.page, "the list")
            await visit.open(request)
            target = await visit.page.inner_text(".known .target")
            assert "Wanted by" in target and here_and_now in target and ("overdue" in target) is late
            assert "secret words" not in await visit.words(), "what is kept for the author is not shown as such"
            clock.move(3_700)
        assert (await now(here, request)).status is Status.PENDING
