"""The list of what waits and the history: their order, filters, search and pages, over both databases."""

from __future__ import annotations

import re
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import update

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import NewRequest, ReviewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.service.clock import moment
from hitl_mcp.service.search.matching import PAGE
from hitl_mcp.service.store import Tx
from hitl_mcp.service.store.tables import loops
from tests.inbox.visit import browsing
from tests.service.stage import Place, Stage, add_person, stage
from tests.world import SimulatedClock

pytestmark = pytest.mark.anyio


async def ask(on: Stage, text: str, **fields: Any) -> ReviewRequest:
    """A question, or with no response type an approval."""
    if "response_type" not in fields:
        fields["kind"] = Kind.APPROVAL
    new = NewRequest.model_validate({"request_text": text, **fields})
    return (await on.agent.create_request(on.loop_id, new)).request


async def shown(browser: AsyncClient, path: str = "/") -> list[str]:
    """The first lines on a page, in its order."""
    page = await browser.get(path)
    assert page.status_code == 200, page.text
    return re.findall(r'class="line" id="(?:open|closed)-[0-9a-f]+"[^>]*>([^<]+)<', page.text)


async def test_what_needs_attention_stands_on_top_and_says_that_it_is_overdue(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on, browsing(on.found) as browser:
        await ask(on, "low", priority="low")
        await ask(on, "high", priority="high")
        clock.move(2 * 3600)
        await ask(on, "medium")
        soon = moment(clock.now + 3_600_000)
        await ask(on, "wished", priority="low", due_at=soon.isoformat())
        await ask(on, "closing", priority="low", processing_type="time-sensitive", timeout_seconds=600)
        critical = await ask(on, "critical", priority="critical")
        assert await shown(browser) == ["closing", "critical", "high", "wished", "medium", "low"]
        page = (await browser.get("/")).text
        high = page[page.index(">high<") : page.index(">wished<")]
        assert "overdue" in high and "was wanted by" in high, "said in words, not by colour alone"
        assert page.count('class="overdue"') == 1

        grace = await on.services.store.write(lambda tx: add_person(tx, on.loop_id, "Grace"))
        await on.sign_in_again()
        me = (await on.reviewer.do(routes.REQUEST_CLAIM, critical.id)).claimed_by
        low = await ask(on, "mine", priority="low")
        for request_id, user_id in ((low.id, me), (critical.id, grace)):
            path = routes.REQUEST_REASSIGN.format(request_id=request_id)
            answer = await on.wire.send("POST", path, {"user_id": user_id}, key=on.reviewer.session)
            assert answer.status == 200, answer
        assert (await shown(browser))[0] == "mine", "what is assigned to me comes first"
        assert (
            "assigned to you" in (await browser.get("/")).text and "assigned to Grace" in (await browser.get("/")).text
        )
        assert await shown(browser, "/?who=assigned") == ["mine"] == await shown(browser, "/?who=me")


async def test_the_list_is_narrowed_and_searched_by_its_address_alone(place: Place) -> None:
    async with stage(place) as on, browsing(on.found) as browser:
        await ask(on, "Drop the table?", priority="high", context={"note": "100% of ünïted rows_x"})
        on.agent.client_name = "Cursor 3.2"
        await ask(on, "How many?", response_type="number", response_config={"max_value": 5})
        assert await shown(browser, "/?priority=high") == ["Drop the table?"]
        assert await shown(browser, "/?kind=number") == ["How many?"] == await shown(browser, "/?q=cursor")
        assert await shown(browser, "/?q=DROP+table") == ["Drop the table?"], "each word, in any case"
        assert await shown(browser, "/?q=100%25") == ["Drop the table?"] == await shown(browser, "/?q=rows_x")
        assert await shown(browser, "/?q=%25") == ["Drop the table?"], "a sign of the language is only a sign"
        assert await shown(browser, "/?q=h_w") == [] == await shown(browser, "/?overdue=1")
        assert await shown(browser, f"/?loop={on.loop_id}&kind=approval&who=free") == ["Drop the table?"]
        elsewhere = await shown(browser, f"/?loop={'0' * 24}")
        assert elsewhere == []
        nonsense = "/?priority=x&kind='&who=%00&loop=me&page=-1&overdue=yes"
        assert len(await shown(browser, nonsense)) == 2, "what means nothing narrows nothing"
        narrowed = (await browser.get("/?priority=high&q=table")).text
        assert "1 of 2 waiting" in narrowed and 'href="/?priority=high"' in narrowed, "each filter can be taken away"


async def test_more_than_a_page_is_turned_to_and_a_page_too_far_leads_to_the_last(place: Place) -> None:
    async with stage(place) as on, browsing(on.found) as browser:
        for number in range(PAGE + 3):
            await ask(on, f"Question {number:03}")
        first, second = await shown(browser), await shown(browser, "/?page=2")
        groups = (await browser.get("/")).text.count("more, with")
        assert groups == 1, "they differ only in a number"
        assert len(first) + len(second) == 2, "so each page shows one card for its own"
        assert f"{PAGE + 1} to {PAGE + 3} of {PAGE + 3}" in (await browser.get("/?page=2")).text
        far = await browser.get("/?page=9")
        assert (far.status_code, far.headers["location"]) == (303, "/?page=2")


async def test_the_history_says_who_decided_what_when_and_where(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on, browsing(on.found) as browser:
        approved, rejected = await ask(on, "Approved one"), await ask(on, "Rejected one")
        answered = await ask(on, "Answered one", response_type="text", response_config={})
        late = await ask(on, "Late one", processing_type="time-sensitive", timeout_seconds=60)
        gone = await ask(on, "Withdrawn one")
        await on.reviewer.answer(approved.id, "approve", comment="because of Öl")
        clock.move(1)
        await on.reviewer.answer(rejected.id, "reject")
        clock.move(1)
        await on.reviewer.answer(answered.id, "blue")
        clock.move(1)
        await on.agent.cancel_request(gone.id)
        clock.move(120)
        assert await shown(browser, "/history") == [
            "Late one", "Withdrawn one", "Answered one", "Rejected one", "Approved one",
        ]  # fmt: skip
        page = (await browser.get("/history")).text
        assert "You decided: <b" in page and "in a terminal" in page and "because of Öl" in page
        for outcome, line in {
            "approved": "Approved one", "rejected": "Rejected one", "answered": "Answered one", "timeout": "Late one",
            "cancelled": "Withdrawn one",
        }.items():  # fmt: skip
            assert await shown(browser, f"/history?outcome={outcome}") == [line]
        assert await shown(browser, "/history?outcome=needs_changes") == []
        assert await shown(browser, "/history?q=because") == ["Approved one"]
        today = approved.created_at.astimezone().strftime("%Y-%m-%d")
        assert len(await shown(browser, f"/history?from={today}")) == 5
        assert (
            await shown(browser, "/history?to=2001-01-01") == [] == await shown(browser, f"/history?person={'0' * 24}")
        )
        assert late.id in page


async def test_the_guidelines_of_a_loop_stand_on_its_requests(place: Place) -> None:
    async with stage(place) as on, browsing(on.found) as browser:
        asked = await ask(on, "Ours")
        statement = update(loops).where(loops.c.id == on.loop_id).values(guidelines="Never on *Fridays*.")

        def write(tx: Tx) -> None:
            tx.connection.execute(statement)

        await on.services.store.write(write)
        page = (await browser.get(f"/requests/{asked.id}")).text
        assert "Guidelines of this loop" in page and "<em>Fridays</em>" in page


async def test_a_page_of_long_requests_ends_earlier_and_none_is_missed(place: Place) -> None:
    async with stage(place) as on:
        body = {"processing_type": "deferred", "type": "markdown", "kind": "approval", "request_text": "x?"}
        where, asked = routes.LOOP_REQUESTS.format(loop_id=on.loop_id), set[str]()
        for _ in range(11):
            made = await on.wire.send("POST", where, body | {"context": {"much": "y" * 1_000_000}})
            asked.add(made.data["request_id"])
        found: list[str] = []
        offset: int | None = 0
        while offset is not None:
            page = (await on.wire.send("GET", f"{routes.REQUESTS}?limit=100&offset={offset}")).data
            assert 0 < page["count"] < 6 and page["total"] == 11
            found += [one["id"] for one in page["requests"]]
            offset = page["pagination"]["next_offset"]
        assert len(found) == 11 and set(found) == asked
