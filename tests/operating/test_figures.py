"""Metrics and figures: what was asked and decided, counted from what was really asked and decided."""

from __future__ import annotations

import json
import random
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient
from playwright.async_api import Browser, ConsoleMessage
from prometheus_client.parser import text_string_to_metric_families

from hitl_mcp.contract import routes
from hitl_mcp.errors import NotAllowed, NotFound
from hitl_mcp.sdk.local import ask
from tests.browser import browser
from tests.inbox.test_languages import speaking
from tests.inbox.visit import Visit, visiting
from tests.world import WAIT, SimulatedClock, World, sign_in, world

pytestmark = pytest.mark.anyio

DAY = 86_400
START = 1_790_000_000_000 // (DAY * 1000) * DAY * 1000 + 9 * 3_600_000
"""Nine in the morning of a day (UTC)."""
HOSTILE = '<script>x</script>"\u202e'


async def days_of_work(here: World, clock: SimulatedClock, days: int, each: int) -> dict[str, int]:
    """What a team does, and how often it came to what."""
    dice = random.Random(7)
    done: dict[str, int] = {"approve": 0, "reject": 0, "needs_changes": 0, "timeout": 0, "cancelled": 0}
    for day in range(days):
        began = clock.now
        for _ in range(max(1, each + dice.randrange(-each // 2, each // 2 + 1) - 3 * (day % 7 in (5, 6)))):
            priority = dice.choice(("low", "medium", "high", "critical"))
            made = await here.ask_approval(HOSTILE, priority=priority, timeout_seconds=7_200)
            clock.move(int(dice.lognormvariate(4.5, 1.1)) + 1)
            what = dice.choices(tuple(done), (60, 15, 10, 8, 7))[0]
            if what == "cancelled":
                await here.agent.cancel_request(made.request_id)
            elif what != "timeout":
                await (await sign_in(here.found)).answer(made.request_id, what)
            done[what] += 1
        clock.now = began + DAY * 1000
    return done


async def scraped(here: World, key: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The metrics as Prometheus reads them: by name and labels."""
    async with AsyncClient(base_url=here.found.address, timeout=WAIT) as client:
        answer = await client.get("/metrics", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    assert HOSTILE not in answer.text and here.loop_id not in answer.text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def key_with(here: World, *scopes: str, **more: Any) -> str:
    """A key made at the terminal."""
    body = {"name": "monitor", "scopes": list(scopes)} | more
    return str((await ask(here.found.console(), "POST", routes.KEYS, body))["key"])


async def test_metrics_count_what_happened_for_who_may_read_them(folder: Path) -> None:
    clock = SimulatedClock(START)
    async with world(folder, clock=clock) as here:
        done = await days_of_work(here, clock, 2, 6)
        await here.ask_approval("Waits", priority="critical")
        clock.move(90)
        for wrong in ({"scopes": ["requests:read"]}, {"scopes": ["metrics:read"], "loop_ids": [here.loop_id]}):
            key = await key_with(here, *wrong["scopes"], **{k: v for k, v in wrong.items() if k != "scopes"})
            with pytest.raises(NotAllowed):
                await here.raw("GET", routes.METRICS, key=here.found.session(key))
        async with speaking(here, "en") as person:  # a person's key is never one over all loops
            form = (await person.get("/keys")).text
            token = re.search(r'name="token" value="([0-9a-f]+)"', form)
            assert token is not None
            origin = {"Origin": f"http://{person.headers['Host']}"}
            fields = {"name": "all", "scope": "metrics:read", "token": token[1]}
            assert (await person.post("/keys", data=fields, headers=origin)).status_code == 422
        found = await scraped(here, await key_with(here, "metrics:read"))
        async with AsyncClient(base_url=here.found.address, timeout=WAIT) as client:
            assert (await client.get("/metrics")).status_code == 401

    def total(name: str, **labels: str) -> float:
        return sum(v for (n, ls), v in found.items() if n == name and labels.items() <= dict(ls).items())

    assert total("hitl_requests_created_total") == sum(done.values()) + 1
    assert total("hitl_requests_closed_total", outcome="approved", channel="terminal") == done["approve"]
    assert total("hitl_requests_closed_total", outcome="timeout") == done["timeout"]
    assert total("hitl_requests_waiting", priority="critical") == 1
    assert total("hitl_requests_oldest_waiting_seconds", priority="critical") == pytest.approx(90)
    decided = done["approve"] + done["reject"] + done["needs_changes"]
    assert total("hitl_decision_seconds_count") == decided
    assert total("hitl_decision_seconds_bucket", le="+Inf") == decided
    assert total("hitl_http_responses_total", area="api", status="4xx") == 2


@asynccontextmanager
async def at_the_inbox(here: World, chrome: Browser) -> AsyncGenerator[Visit]:
    """Somebody signed in, in a browser of 1200 pixels."""
    async with visiting(here.found, chrome, viewport={"width": 1200, "height": 900}) as visit:
        yield visit


async def test_the_page_shows_what_was_done_to_people_of_the_loop_only(folder: Path) -> None:
    clock = SimulatedClock(START)
    async with world(folder, clock=clock) as here, browser() as chrome:
        async with at_the_inbox(here, chrome) as visit:
            await visit.page.goto(f"{visit.origin}/figures")
            assert "Nothing was asked in this time" in await visit.words()
        done = await days_of_work(here, clock, 12, 5)
        await here.ask_approval("Waits")
        clock.move(1_000)
        async with at_the_inbox(here, chrome) as visit:
            page = visit.page
            broken: list[str] = []

            def heard(said: ConsoleMessage) -> None:
                if said.type == "error":
                    broken.append(said.text)

            page.on("console", heard)
            await page.goto(f"{visit.origin}/figures?days=30")
            words = await visit.words()
            assert await page.locator("svg[role=img]").count() == 2
            closed = sum(done.values())
            assert f"{done['timeout']}\u00a0({round(100 * done['timeout'] / closed)}\u00a0%)" in words
            counted = json.loads(await page.evaluate("fetch('/figures.json?days=30').then((it) => it.text())"))
            days = counted["figures"]["per_day"]
            assert len(days) == 30 and sum(day["approved"] for day in days) == done["approve"]
            assert [one["count"] for one in counted["figures"]["waiting"]] == [0, 1, 0, 0, 0]
            assert counted["figures"]["by_reviewer"][0]["closed"] == closed - done["timeout"] - done["cancelled"]
            for width in (320, 390):
                await page.set_viewport_size({"width": width, "height": 800})
                assert await page.evaluate("document.documentElement.scrollWidth") <= width
            await page.get_by_text("The numbers of each day").first.click()
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390
            other = await page.goto(f"{visit.origin}/figures?loop={'a' * 24}")
            assert other is not None and other.status == 404
            assert broken == [text for text in broken if "404" in text]
        mine = await here.raw("GET", f"{routes.FIGURES}?days=30")
        assert mine["figures"] == counted["figures"]
        with pytest.raises(NotFound):
            await here.raw("GET", f"{routes.FIGURES}?loop_id={'a' * 24}")
