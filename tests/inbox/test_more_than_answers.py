"""What a person does beside answering one request: taking back, handing on, asking back, answering many at once."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from playwright.async_api import Browser, expect

from hitl_mcp.contract import routes
from hitl_mcp.contract.escalation import Ladder
from hitl_mcp.contract.states import Channel, Status
from hitl_mcp.sdk.local import ask
from hitl_mcp.service.actors import Person
from tests.inbox.visit import ask_for, browsing, change, now, token_in, visiting
from tests.service.stage import add_person, stage
from tests.world import World, world

pytestmark = pytest.mark.anyio


def hold_answers(here: World, seconds: int) -> None:
    """As a person of the loop sets it."""
    with closing(sqlite3.connect(here.folder / "hitl.db")) as database, database:
        database.execute("UPDATE loops SET undo_seconds = ?", (seconds,))


async def test_an_answer_is_taken_back_while_that_is_possible_and_stands_in_the_form_again(
    folder: Path, chrome: Browser
) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        request = await ask_for(here, "Which?", response_type="single_select", response_config={"options": ["A", "B"]})
        hold_answers(here, 300)
        await visit.open(request)
        await page.check("input[value=B]")
        await page.fill("#comment", "on second thought")
        sent = await visit.send("Send this answer")
        assert "Sent: B" in sent and "on second thought" in sent
        assert (await now(here, request)).status is Status.PENDING, "nobody sees it before it is final"
        again = await visit.send("Undo")
        assert "Your answer was taken back" in again
        assert await page.is_checked("input[value=B]") and await page.input_value("#comment") == "on second thought"
        hold_answers(here, 0)
        await page.check("input[value=A]")
        assert "You answered" in await visit.send("Send this answer")
        assert (await now(here, request)).response_data == "A"


async def test_the_agent_is_asked_back_and_its_answer_stands_on_the_page(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome, java_script_enabled=False) as visit:
        page = visit.page
        request = await ask_for(here, "May I?")
        await visit.open(request)
        await page.fill("#comment", "half a comment")
        await page.get_by_text("Ask the agent back").click()
        await page.fill("#question", "Why <now>?")
        await visit.send("Claim for 15 minutes")
        assert await page.input_value("#question") == "Why <now>?", "a claim loses nothing that was begun"
        asked = await visit.send("Ask the agent")
        assert "Why <now>?" in asked and "has not answered yet" in asked
        assert await page.input_value("#comment") == "half a comment"
        await page.get_by_text("Ask the agent back").click()
        await page.fill("#question", "And this?")
        assert "has asked the agent already" in await visit.send("Ask the agent", then=409)
        assert await page.input_value("#question") == "And this?", "what was typed is not lost"
        await change(here, request, reviewer_answer="Because it is night")
        await page.goto(f"{visit.origin}/requests/{request.id}")
        words = await visit.words()
        assert "The agent answers" in words and "Because it is night" in words and "asked the agent" in words


async def test_a_request_is_handed_to_somebody_who_answers_in_its_loop(folder: Path) -> None:
    async with stage(folder) as on, browsing(on.found) as browser:
        grace = await on.services.store.write(lambda tx: add_person(tx, on.loop_id, "Grace"))
        request_id = (await on.ask_approval("May I?")).request_id
        page = (await browser.get(f"/requests/{request_id}")).text
        assert ">Grace<" in page
        form = {"token": token_in(page), "revision": "1", "whom": grace, "note": "You know db1", "comment": "kept"}
        done = await browser.post(f"/requests/{request_id}/hand", data=form)
        assert done.status_code == 200 and "kept</textarea>" in done.text
        assert "handed it to Grace" in done.text and "You know db1" in done.text
        assert (await on.agent.get_request(request_id)).assigned_to == grace
        refused = await browser.post(f"/requests/{request_id}/hand", data=form | {"whom": "f" * 24, "note": "mine"})
        assert refused.status_code == 422 and "mine</textarea>" in refused.text
        again = await browser.post(f"/requests/{request_id}/hand", data=form | {"note": "One thing more"})
        assert again.status_code == 422 and "Choose whom the note is for" in again.text
        assert "One thing more</textarea>" in again.text, "a note that would reach nobody is not lost"
        forged = await browser.post(f"/requests/{request_id}/hand", data=form | {"token": "x"})
        assert forged.status_code == 403


def texts(found: list[Any]) -> list[str]:
    """As a person reads them."""
    return [" ".join(text.split()) for text in found]


async def test_many_like_requests_are_decided_in_one_gesture_with_their_differences_marked(
    folder: Path, chrome: Browser
) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        asked = [
            await ask_for(here, f"Delete branch fix-{number}?", context={"commits": number}) for number in range(4)
        ]
        await visit.list()
        await expect(page.locator(".card")).to_have_count(1)
        await page.get_by_text("3 more, with their differences marked").click()
        assert await page.locator(".card ins").all_inner_texts() == ["fix-1?", "fix-2?", "fix-3?"]
        await page.get_by_role("link", name="4 requests like this: decide together").click()
        await page.wait_for_url(f"{visit.origin}/similar/*")
        assert texts(await page.locator(".like-context del").all_inner_texts()) == ["0", "0", "0"]
        assert texts(await page.locator(".like-context ins").all_inner_texts()) == ["1", "2", "3"]
        await page.locator(".likes input[type=checkbox]").nth(1).uncheck()
        await expect(page.locator("#ticked")).to_have_text("3 of 4 ticked")
        await page.fill("#comment", "old branches")
        await change(here, asked[2], context={"commits": 2000})
        await here.reviewer.answer(asked[3].id, "reject")

        said = await visit.send("Approve", then=409)

        assert "1 of 3 recorded" in said and "changed after you opened it" in said and "Already decided by" in said
        assert "old branches" in said, "what was typed is not lost"
        states = [(await now(here, one)).decision for one in asked]
        assert states == ["approved", None, None, "rejected"], "each has its own decision, of what was seen"
        assert (await now(here, asked[0])).response_comment == "old branches"
        await page.goto(f"{visit.origin}/")
        await page.get_by_role("link", name="decide together").click()
        assert "2 decisions recorded" in await visit.send("Reject")
        states = [(await now(here, one)).decision for one in asked]
        assert states == ["approved", "rejected", "rejected", "rejected"]


def words_from(first: int, count: int = 900) -> str:
    """Words of one letter each, none of which is in another such text."""
    return " ".join(chr(first + place) for place in range(count))


async def test_texts_that_are_slow_to_compare_are_shown_whole_and_hold_nobody_up(folder: Path) -> None:
    async with stage(folder) as on, browsing(on.found) as browser:
        asked = [await ask_for(on, f"Delete {n}?", context={"files": words_from(0x4E00 + 0x800 * n)}) for n in range(8)]
        await change(on, asked[7], context={"files": words_from(0xAC00)})
        with anyio.fail_after(60):
            there = await browser.get("/")
            alike = re.search(r"/similar/[0-9a-f]{64}", there.text)
            assert alike is not None
            group = await browser.get(alike[0])
            one = await browser.get(f"/requests/{asked[7].id}")
        assert group.text.count(words_from(0x4E00)) == 1 + 7, "the first one's, and beside each of the others"
        assert words_from(0x4E00 + 0x800 * 7) in one.text and words_from(0xAC00) in one.text


async def test_a_long_text_of_nothing_but_marks_holds_nobody_up(folder: Path) -> None:
    async with stage(folder) as on, browsing(on.found) as browser:
        request = await ask_for(on, "Look at this?", context={"details": "&<\u200b" * 100_000})
        with anyio.fail_after(60):
            page = await browser.get(f"/requests/{request.id}")
        assert page.text.count("&amp;&lt;<mark>U+200B</mark>") == 2 * 100_000, "formatted, and as it was sent"


async def test_code_is_coloured_only_where_that_is_quick(folder: Path) -> None:
    """On long code made for it, a lexer's expressions take minutes, and let nothing else run."""
    async with stage(folder) as on, browsing(on.found) as browser:
        pages: list[str] = []
        for language, code in (("sql", "SELECT 1;\n" * 300), ("hcl", "true\n" + "a" * 3_900)):
            one = await ask_for(on, "Apply this?", context={"details": f"```{language}\n{code}\n```"})
            with anyio.fail_after(60):
                pages.append((await browser.get(f"/requests/{one.id}")).text)
        assert pages[0].count('<span class="k">SELECT</span>') >= 300
        assert '<span class="kc">true</span>' not in pages[1] and "a" * 3_900 in pages[1], "all of it is there"


async def test_what_formatting_hides_is_shown_before_many_are_decided(folder: Path) -> None:
    async with stage(folder) as on, browsing(on.found) as browser:
        hiding = "| a |\n|---|\n| b | and drop the backups |"
        for n in (1, 2):
            await ask_for(on, f"Run job {n}?", context={"details": hiding})
        there = re.search(r"/similar/[0-9a-f]{64}", (await browser.get("/")).text)
        assert there is not None
        page = (await browser.get(there[0])).text
        assert "and drop the backups" in page and "Formatting hides some of this text" in page


async def test_a_request_with_an_exchange_is_decided_with_others_only_by_who_has_looked(folder: Path) -> None:
    async with stage(folder) as on, browsing(on.found) as browser:
        asked = [await ask_for(on, f"Delete branch {n}?") for n in (1, 2)]
        where = routes.REQUEST_ASK.format(request_id=asked[1].id)
        await ask(on.reviewer.session, "POST", where, {"question": "Is it merged?"})
        await change(on, asked[1], reviewer_answer="No, and nobody else has it")
        there = re.search(r"/similar/[0-9a-f]{64}", (await browser.get("/")).text)
        assert there is not None
        page = (await browser.get(there[0])).text
        ticked = {one: f'value="{one}" checked' in page for one in (asked[0].id, asked[1].id)}
        assert ticked == {asked[0].id: True, asked[1].id: False} and "open it first" in page


async def test_with_nothing_ticked_nothing_is_sent(folder: Path) -> None:
    async with stage(folder) as on, browsing(on.found) as browser:
        for number in range(2):
            await on.ask_approval(f"Number {number}?")
        page = (await browser.get("/")).text
        address = page[page.index("/similar/") :][: len("/similar/") + 64]
        form = {"token": token_in((await browser.get(address)).text), "answer": "approve"}
        nothing = await browser.post(f"{address}/decision", data=form)
        assert nothing.status_code == 422 and "Nothing is ticked" in nothing.text
        assert len(await on.reviewer.open_requests()) == 2
        assert (await browser.get("/similar/" + "0" * 64)).status_code == 404
        assert (await browser.get(f"{address}/decision", follow_redirects=False)).headers["location"] == address


async def test_a_request_is_escalated_with_a_reason_and_leaves_who_is_not_in_the_next_loop(folder: Path) -> None:
    async with stage(folder) as on, browsing(on.found) as browser:
        leads = await on.second_loop("Leads")
        owner = Person(on.services.account.user_id, "Ada", Channel.INBOX)
        ladder = Ladder.model_validate({"steps": [{"raise_priority_to": "high"}, {"to_loop": leads}]})
        await on.services.lifecycle.set_ladder(owner, on.loop_id, ladder)
        request_id = (await on.ask_approval("May I?")).request_id
        page = (await browser.get(f"/requests/{request_id}")).text
        assert "It takes step 1 of 2" in page
        form = {"token": token_in(page), "revision": "1", "comment": "kept", "reason": ""}
        empty = await browser.post(f"/requests/{request_id}/escalate", data=form)
        assert empty.status_code == 422 and "kept</textarea>" in empty.text
        done = await browser.post(f"/requests/{request_id}/escalate", data=form | {"reason": "Above my <limit>"})
        assert done.status_code == 200 and "kept</textarea>" in done.text
        assert "Above my &lt;limit&gt;" in done.text and "step 1 of 2" in done.text
        assert "changed after you opened it" in done.text, "what was typed is for an earlier revision, and it is said"
