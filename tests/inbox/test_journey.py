"""A person's way from the question to the decision, in a real browser."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.types import CallToolResult
from playwright.async_api import Browser, Page, expect

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.states import Channel, Status
from tests.inbox.visit import answered, ask_for, change, new_code, now, visiting
from tests.world import WAIT, SimulatedClock, eventually, running_service, stdio_client, world

pytestmark = pytest.mark.anyio


def browser_command(into: Path) -> tuple[str, Path]:
    """A command for BROWSER that notes the address it is given, and where."""
    note, command = into / "opened.txt", into / "browser.sh"
    command.write_text(f'#!/bin/sh\nprintf %s "$1" > "{note}.new" && mv "{note}.new" "{note}"\n', encoding="utf-8")
    command.chmod(0o700)
    return f"{command} %s", note


@pytest.mark.skipif(sys.platform == "win32", reason="BROWSER names a shell script")
async def test_a_private_page_signs_in_and_the_agents_waiting_call_gets_the_decision(
    folder: Path, tmp_path: Path, chrome: Browser
) -> None:
    command, note = browser_command(tmp_path)
    results: list[CallToolResult] = []
    async with stdio_client(folder, HITL_OPEN_BROWSER="true", BROWSER=command) as client:

        async def agent() -> None:
            results.append(
                await client.call_tool("request_human_approval", {"action": "Restart db1", "wait_seconds": 60})
            )

        with anyio.fail_after(3 * WAIT):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(agent)
                await eventually(lambda: anyio.Path(note).exists())
                address = note.read_text(encoding="utf-8")
                private = Path(address.removeprefix("file://"))
                assert address.startswith("file://") and private.is_relative_to(folder)
                assert stat.S_IMODE(private.stat().st_mode) == 0o600, "nobody else may read the code"
                assert stat.S_IMODE(private.parent.stat().st_mode) == 0o700

                async with visiting(await running_service(folder), chrome, signed_in=False) as visit:
                    await visit.page.goto(address)
                    await visit.page.wait_for_url(f"{visit.origin}/requests/*")
                    assert "Restart db1" in await visit.words()
                    await visit.page.fill("#comment", "At night, please")
                    assert "You decided Approve" in await visit.send("Approve")

                    await visit.page.goto(address)
                    await visit.page.get_by_text("This sign-in is used up").wait_for()

    decided = results[0].structured_content
    assert not results[0].is_error and decided is not None
    assert decided["approved"] is True and decided["reviewer_comment"] == "At night, please"
    assert decided["channel"] == "inbox" and decided["decided_revision"] == 1


async def test_from_the_list_to_a_claim_a_release_and_an_approval_with_a_comment(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        await visit.list()
        assert "Nothing is waiting" in await visit.words()
        here.agent.client_name = "Claude Code 2.1"
        request = await ask_for(here, "Deploy **billing-api** now?\n\nIt takes a minute.", priority="high")
        decided: list[ReviewRequest] = []

        async def agent() -> None:
            decided.append(await here.agent.wait_for_decision(request, WAIT))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(agent)

            await visit.list()
            card = page.locator(".card")
            listed = await card.inner_text()
            assert "Deploy billing-api now?" in listed and "asked by Claude Code 2.1" in listed and "in " in listed
            assert "1 waiting for you" in await visit.words() and (await page.title()).startswith("(1) ")

            await page.get_by_role("link", name="Deploy billing-api now?").click()
            await page.wait_for_url(f"{visit.origin}/requests/{request.id}")
            assert "Do you approve this?" in await visit.words()

            await page.fill("#comment", "Go\nahead <b>now</b>")
            assert "You have claimed this request" in await visit.send("Claim for 15 minutes")
            assert (await now(here, request)).status is Status.CLAIMED
            assert await page.input_value("#comment") == "Go\nahead <b>now</b>", "typed text outlives a claim"

            assert "Claim for 15 minutes" in await visit.send("Release")
            assert (await now(here, request)).status is Status.PENDING
            assert await page.input_value("#comment") == "Go\nahead <b>now</b>"

            closed = await visit.send("Approve")
            assert "You decided Approve" in closed and "Go\nahead <b>now</b>" in closed
            assert page.url == f"{visit.origin}/requests/{request.id}", "a reload sends nothing again"

        got = decided[0]
        assert got.decision == "approved" and got.response_comment == "Go\nahead <b>now</b>"
        assert got.response_channel is Channel.INBOX and got.decided_revision == 1
        await here.agent.deliver_request(request.id)
        await page.reload()
        assert "The agent collected the result" in await visit.words()
        await visit.list()
        assert "Nothing is waiting" in await visit.words()
        assert "You decided: Approve" in await page.locator(".closed").inner_text()


async def test_the_other_two_buttons_of_an_approval_say_what_they_mean(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        for button, decision in {"Reject": "rejected", "Needs Changes": "needs_changes"}.items():
            request = await ask_for(here)
            await visit.open(request)
            assert f"You decided {button}" in await visit.send(button)
            assert (await now(here, request)).decision == decision


async def test_who_comes_second_is_told_who_was_first_and_when(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome, java_script_enabled=False) as visit:
        request = await ask_for(here)
        await visit.open(request)
        await visit.page.fill("#comment", "my long thoughts")
        first = await here.reviewer.answer(request.id, "reject", comment="No")

        said = await visit.send("Approve", then=409)

        assert first.response_by_user is not None and first.response_at is not None
        assert f"Already decided by {first.response_by_user.name} at {first.response_at:%Y-%m-%d %H:%M:%S} UTC" in said
        assert "my long thoughts" in said and "Approve" in await visit.page.inner_text(".unsent >> nth=0")
        kept = await now(here, request)
        assert kept.decision == "rejected" and kept.response_comment == "No"


@pytest.mark.parametrize(("close", "words"), [("cancel", "The agent has withdrawn it"), ("expire", "Its deadline")])
async def test_an_answer_after_the_end_is_refused_and_given_back(
    folder: Path, chrome: Browser, close: str, words: str
) -> None:
    clock = SimulatedClock()
    async with (
        world(folder, clock=clock) as here,
        visiting(here.found, chrome, java_script_enabled=False) as visit,
    ):
        request = await ask_for(
            here, response_type="text", response_config={}, processing_type="time-sensitive", timeout_seconds=60
        )
        await visit.open(request)
        await visit.page.fill("#answer-input", "precious <words>")
        if close == "cancel":
            await here.agent.cancel_request(request.id)
        else:
            clock.move(60)
        said = await visit.send("Send this answer", then=409)
        assert words in said and "precious <words>" in said
        assert (await now(here, request)).response_data is None


async def test_a_question_that_changed_is_answered_only_after_it_was_read_again(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        config = {"options": ["DuckDB", "SQLite"]}
        request = await ask_for(
            here, "Drop the old table?", response_type="single_select", response_config=config, context={"rows": 3}
        )
        await visit.open(request)
        await visit.is_live()
        await page.check("input[value=DuckDB]")
        await page.fill("#comment", "typed before the change")
        await change(here, request, request_text="Drop the new table?", context={"rows": 3000})
        await expect(page.locator("#news")).to_contain_text("This request changed")

        said = await visit.send("Send this answer", then=409)

        assert "changed after you opened it" in said
        for mark, words in (("del", ["old", "3"]), ("ins", ["new", "3000"])):
            assert await page.locator(f".notice {mark}").all_inner_texts() == words
        assert await page.input_value("#comment") == "typed before the change"
        assert await page.is_checked("input[value=DuckDB]")
        assert (await now(here, request)).status is Status.PENDING

        assert "You answered" in await visit.send("Send this answer")
        answer = await now(here, request)
        assert answer.response_data == "DuckDB" and answer.decided_revision == 2


async def test_the_bar_about_a_change_shows_it_and_keeps_what_was_typed(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        request = await ask_for(here, "Which words?", response_type="text", response_config={})
        await visit.open(request)
        await visit.is_live()
        await page.fill("#answer-input", "half an ans")
        await change(here, request, request_text="Which other words?")
        shown = await visit.send("Show it")
        assert "What changed since the revision you saw" in shown and "other" in shown
        assert await page.input_value("#answer-input") == "half an ans"
        assert "You answered" in await visit.send("Send this answer")
        assert (await now(here, request)).decided_revision == 2


async def focused(page: Page) -> dict[str, Any]:
    """What the keyboard is on, and whether that can be seen."""
    return await page.evaluate(
        """() => { const it = document.activeElement, style = getComputedStyle(it), card = it.closest(".card");
        const ring = (s) => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0;
        return { id: it.id, words: it.innerText, seen: ring(style) || (card && ring(getComputedStyle(card))) } }"""
    )


async def tab_to(page: Page, *, words: str = "", element: str = "") -> None:
    """Press Tab until the keyboard is on this; every stop on the way can be seen."""
    for _ in range(25):
        await page.keyboard.press("Tab")
        at = await focused(page)
        assert at["seen"], f"nothing shows that the keyboard is on {at}"
        if (words and at["words"] == words) or (element and at["id"] == element):
            return
    raise AssertionError(f"Tab never comes to {words or element}")


async def test_the_keyboard_alone_is_enough(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        request = await ask_for(here, "Delete the branch?")
        await visit.list()
        await tab_to(page, words="Delete the branch?")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{visit.origin}/requests/*")
        await tab_to(page, element="comment")
        await page.keyboard.type("By keyboard")
        await tab_to(page, words="Needs Changes")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".decided")
        decided = await now(here, request)
        assert decided.decision == "needs_changes" and decided.response_comment == "By keyboard"


async def test_without_script_the_whole_way_works(folder: Path, chrome: Browser) -> None:
    async with (
        world(folder) as here,
        visiting(here.found, chrome, signed_in=False, java_script_enabled=False) as visit,
    ):
        page = visit.page
        request = await ask_for(here, "How many?", response_type="number", response_config={"max_value": 5})
        assert (await visit.open(request)).status == 401
        await page.get_by_role("link", name="type it here").click()
        await page.fill("#code", (await new_code(here.found, typed=True)).lower().replace("-", ""))
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{visit.origin}/requests/{request.id}")

        await page.get_by_role("link", name="All requests").click()
        await page.get_by_role("link", name="How many?").click()
        await visit.send("Claim for 15 minutes")
        await page.fill("#answer-input", "2")
        await page.fill("#comment", "no script")
        assert "You answered" in await visit.send("Send this answer")
        done = await now(here, request)
        assert done.response_data == 2 and done.response_comment == "no script"
        assert await page.locator("#live").is_hidden(), "a page that cannot be live does not say that it is"

        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_text("This browser can no longer see or decide anything").wait_for()
        assert answered(await page.goto(f"{visit.origin}/")).status == 401
