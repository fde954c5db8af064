"""An open page stays true by itself (D7, H14): what comes, what goes, and when it cannot know."""

from __future__ import annotations

import os
import re
import signal
import time
from datetime import datetime
from pathlib import Path

import psutil
import pytest
from playwright.async_api import Browser, Page, expect

from tests.inbox.visit import Visit, ask_for, change, new_code, visiting
from tests.local.machine import gone
from tests.world import WAIT, running_service, sign_in, stdio_client, world

pytestmark = pytest.mark.anyio


async def mark(page: Page) -> None:
    """Leave something on the page that a reload would wipe away."""
    await page.evaluate("window.notReloaded = true")


async def is_the_same(page: Page) -> bool:
    """Whether the page was never loaded again."""
    return bool(await page.evaluate("window.notReloaded === true"))


async def test_the_list_follows_what_happens_without_a_reload(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        await visit.list()
        await visit.is_live()
        await mark(page)
        await expect(page.locator("h1")).to_have_text("Nothing is waiting")

        first = await ask_for(here, "The first question")
        await expect(page.locator(".card")).to_have_count(1)
        await page.get_by_role("link", name="Show this list on a wall screen").focus()
        await ask_for(here, "For a moment")
        await expect(page.locator(".card")).to_have_count(2)
        assert await page.evaluate("document.activeElement.getAttribute('href')") == "/?wall=1", "also without an id"
        await here.agent.cancel_request((await here.reviewer.open_requests())[1].id)
        await expect(page.locator(".card")).to_have_count(1)
        await page.focus(f"#open-{first.id}")
        await ask_for(here, "A critical question", priority="critical")
        await expect(page.locator(".card .line")).to_have_text(["A critical question", "The first question"])
        await expect(page).to_have_title("(2) hitl_mcp inbox")
        assert await page.evaluate("document.activeElement.id") == f"open-{first.id}", "the keyboard stays where it was"

        await change(here, first, request_text="The first question, in other words")
        await expect(page.locator(".card .line").nth(1)).to_have_text("The first question, in other words")
        await here.reviewer.answer(first.id, "reject", revision=2)
        await expect(page.locator(".card")).to_have_count(1)
        await expect(page.locator(".closed")).to_contain_text("You decided: Reject")
        assert await is_the_same(page)


async def test_an_open_question_tells_what_became_of_it_and_leaves_the_form_alone(
    folder: Path, chrome: Browser
) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page, news = visit.page, visit.page.locator("#news")
        request = await ask_for(here)
        await visit.open(request)
        await visit.is_live()
        await mark(page)
        await page.fill("#comment", "half a thought")
        await expect(news).to_be_hidden()
        await ask_for(here, "Another question")
        await expect(page).to_have_title("(2) Question: May I?")
        await expect(news).to_be_hidden()
        await change(here, request, request_text="May I really?")
        await expect(news).to_contain_text("This request changed. Read it again before you decide.")
        decided = await here.reviewer.answer(request.id, "approve", revision=2)
        assert decided.response_by_user is not None
        await expect(news).to_contain_text("You decided: Approve")
        assert await page.input_value("#comment") == "half a thought"
        assert "May I really?" not in await page.inner_text(".agent"), "what is being read does not change by itself"
        assert await is_the_same(page)


async def test_many_tabs_share_one_stream_and_another_takes_over_when_its_tab_closes(
    folder: Path, chrome: Browser
) -> None:
    """A browser keeps at most six connections to a host; the eighth tab must still load and be live."""
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        pages = [visit.page, *[await visit.context.new_page() for _ in range(7)]]
        for page in pages:
            await page.goto(f"{visit.origin}/")
            await page.wait_for_selector("#live[data-state=live]")
        await ask_for(here, "To all")
        for page in pages:
            await expect(page.locator(".card")).to_have_count(1)
        await pages[0].close()
        await ask_for(here, "After the first tab closed")
        for page in pages[1:]:
            await expect(page.locator(".card")).to_have_count(2)


async def test_after_a_sleep_the_page_says_that_it_is_not_live_and_begins_anew(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        await page.clock.install(time=datetime.now().astimezone())
        await visit.list()
        await visit.is_live()
        await mark(page)
        await page.evaluate(
            """() => { const light = document.getElementById("live");
            const note = new MutationObserver(() => { document.body.dataset.states += " " + light.dataset.state });
            note.observe(light, { attributes: true }) }"""
        )
        await page.clock.run_for(46_000)
        await expect(page.locator("body")).to_have_attribute("data-states", re.compile(r" lost.* live$"))
        await ask_for(here, "Asked after the sleep")
        await expect(page.locator(".card")).to_have_count(1)
        assert await is_the_same(page)


async def test_a_narrowed_list_stays_narrowed_and_leaves_what_is_typed_alone(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        await page.goto(f"{visit.origin}/?priority=high")
        await visit.is_live()
        await page.fill("#search", "half a wo")
        await ask_for(here, "A low one", priority="low")
        await ask_for(here, "A high one", priority="high")
        await expect(page.locator(".card .line")).to_have_text(["A high one"])
        await expect(page.locator("h1")).to_have_text("1 of 2 waiting")
        assert await page.input_value("#search") == "half a wo"


async def test_a_wall_screen_shows_the_list_without_any_control(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome, viewport={"width": 1920, "height": 1080}) as visit:
        page = visit.page
        await page.goto(f"{visit.origin}/?wall=1")
        await visit.is_live()
        for number in range(3):
            await ask_for(here, f"Question {'abc'[number]}")
        await expect(page.locator(".card")).to_have_count(3)
        tops = await page.locator(".card").evaluate_all("(all) => all.map((it) => it.getBoundingClientRect().top)")
        assert len(set(tops)) == 1, "side by side"
        await expect(page.locator("form:visible, button:visible")).to_have_count(0)


async def test_the_countdown_runs_and_says_when_it_is_too_late(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        request = await ask_for(here, processing_type="time-sensitive", timeout_seconds=3600)
        await page.clock.install(time=datetime.now().astimezone())
        for look in (visit.list(), visit.open(request)):
            await look
            left = page.locator(".left")
            due = datetime.fromisoformat((await left.get_attribute("data-deadline") or "").replace("Z", "+00:00"))
            assert due == request.timeout_at.replace(microsecond=due.microsecond)
            await page.clock.set_system_time(due.timestamp() - 1800.5)
            await page.clock.run_for(1000)
            await expect(left).to_have_text("in 29 min")
            await page.clock.set_system_time(due.timestamp() - 100.5)
            await page.clock.run_for(1000)
            await expect(left).to_have_text("in 1 min 39 s")
            await expect(left).to_have_class("left soon")
            await page.clock.set_system_time(due.timestamp())
            await page.clock.run_for(1000)
            await expect(left).to_have_text("overdue: it can no longer be answered")


async def test_the_countdown_is_there_without_script(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome, java_script_enabled=False) as visit:
        request = await ask_for(here, processing_type="time-sensitive", timeout_seconds=7200)
        for look in (visit.list(), visit.open(request)):
            await look
            assert (await visit.page.inner_text(".left")).startswith("in 1 h 59 min")


async def kill(visit: Visit) -> None:
    """kill -9 of the service behind the page."""
    pid = visit.found.state.pid
    psutil.Process(pid).send_signal(signal.SIGKILL)
    await gone(pid)


async def test_a_page_says_that_it_is_not_live_and_recovers_when_the_service_is_back(
    folder: Path, chrome: Browser
) -> None:
    async with stdio_client(folder) as client:
        arguments = {"action": "Before the crash", "wait_seconds": 0}
        await client.call_tool("request_human_approval", arguments)
        async with visiting(await running_service(folder), chrome) as visit:
            page = visit.page
            await visit.list()
            await visit.is_live()
            await mark(page)
            await kill(visit)
            await expect(page.locator("#live")).to_have_text("Not live: trying again")
            await expect(page.locator(".card")).to_have_count(1)

            # how long the start takes on a busy machine is not what is tested: the service was down for a moment
            os.utime(folder / "alive", (time.time() + 3, time.time() + 3))
            await client.call_tool("request_human_approval", arguments | {"action": "After the crash"})
            assert (await running_service(folder)).state.port == visit.found.state.port
            await expect(page.locator("#live")).to_have_text("Live", timeout=WAIT * 1000)
            await expect(page.locator(".card")).to_have_count(2, timeout=WAIT * 1000)
            assert await is_the_same(page)


async def test_a_page_of_a_service_that_was_away_for_longer_asks_for_a_new_sign_in_and_loses_no_text(
    folder: Path, chrome: Browser
) -> None:
    async with stdio_client(folder) as client:
        arguments = {"action": "Before the crash", "wait_seconds": 0}
        await client.call_tool("request_human_approval", arguments)
        async with visiting(await running_service(folder), chrome) as visit:
            page = visit.page
            await visit.list()
            await page.locator(".card .line").click()
            await visit.is_live()
            await page.fill("#comment", "half a thought")
            await kill(visit)
            os.utime(folder / "alive", (time.time() - 6, time.time() - 6))
            await client.call_tool("list_requests", {})
            await expect(page.locator("#live")).to_contain_text("Signed out")
            assert await page.input_value("#comment") == "half a thought"

            said = await visit.send("Approve", then=401)
            assert "You are signed out" in said and "half a thought" in said and "approve" in said
            found = await running_service(folder)
            reviewer = await sign_in(found)
            waiting = await reviewer.open_requests()
            assert [item.status.value for item in waiting] == ["pending"], "nothing was decided"

            await page.get_by_role("link", name="type it here").click()
            await page.fill("#code", await new_code(found))
            await page.get_by_role("button", name="Sign in").click()
            await page.wait_for_url(f"{visit.origin}/requests/{waiting[0].id}")


async def test_signing_in_again_elsewhere_brings_every_page_back_to_life(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        old = visit.page
        request = await ask_for(here)
        await visit.open(request)
        await visit.is_live()
        await old.fill("#comment", "kept")
        visit.page = await visit.context.new_page()
        await visit.sign_in()
        await visit.is_live()
        visit.page = old
        said = await visit.send("Approve", then=403)
        assert "signed in again since this page was opened, so nothing was sent" in said
        assert await old.input_value("#comment") == "kept"
        assert "You decided Approve" in await visit.send("Approve")


async def test_two_worlds_of_one_machine_do_not_sign_each_other_out(tmp_path: Path, chrome: Browser) -> None:
    """Two data folders are two inboxes with hosts of their own, in one browser."""
    async with world(tmp_path / "one") as one, world(tmp_path / "two") as two, visiting(one.found, chrome) as visit:
        second = await Visit.of(two.found, visit.context)
        await second.enter()
        for here, shown in ((one, visit), (two, second)):
            await ask_for(here, f"Asked in {here.folder.name}")
            assert (await shown.list()).status == 200
            assert await shown.page.locator(".card .line").all_inner_texts() == [f"Asked in {here.folder.name}"]
        assert visit.host.split(":")[0] != second.host.split(":")[0]
