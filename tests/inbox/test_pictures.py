"""The pictures of the README. `HITL_TEST_SCREENSHOTS=docs pytest tests/inbox` renews those in `docs/`."""

from __future__ import annotations

import os
import struct
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import ReviewRequest
from tests.inbox.visit import Visit, ask_for, visiting
from tests.world import SimulatedClock, World, sign_in, world

pytestmark = pytest.mark.anyio

WANTED = os.environ.get("HITL_TEST_SCREENSHOTS")
"""Read here, because no test sees a setting of this machine."""

MORNING = datetime(2026, 11, 20, 9, 40).astimezone()
"""When the pictures are taken, whatever the time is now."""

DETAILS = """It adds the index that the nightly export needs, and removes the 214 invoices of deleted customers.

```diff
-CREATE INDEX ix_invoices_customer ON invoices (customer_id);
+CREATE INDEX CONCURRENTLY ix_invoices_customer ON invoices (customer_id);
+DELETE FROM invoices
+ WHERE customer_id NOT IN (SELECT id FROM customers);
```
"""
QUESTIONS: list[dict[str, Any]] = [
    {
        "agent": "Cursor 3.2", "request_text": "Which database should the new reporting service use?",
        "priority": "medium", "response_type": "single_select", "hours": 22,
        "response_config": {"options": ["PostgreSQL", "SQLite", "DuckDB"]},
    },
    {
        "agent": "Claude Desktop 1.4",
        "request_text": "May I send this reply to Ms. Okafor about her refund of €42.00?",
        "priority": "high", "response_type": "editable_text", "hours": 4,
        "response_config": {"draft_text": "Dear Ms. Okafor,\n\nyour refund of €42.00 is on its way.\n\nBest regards"},
    },
    {
        "agent": "Claude Code 2.1", "request_text": "How good is this summary of the incident review?",
        "priority": "low", "response_type": "rating", "response_config": {"scale_max": 5}, "hours": 23,
    },
]  # fmt: skip
CLOSED: list[tuple[str, str, dict[str, Any], Any]] = [
    ("Claude Code 2.1", "Force-push `main` to drop the commit with the API key?", {}, "reject"),
    ("Claude Desktop 1.4", "Book the meeting room for Thursday, 14:00?", {}, "approve"),
    ("Cursor 3.2", "How much may the load test cost?",
     {"response_type": "number", "response_config": {"max_value": 100, "prefix": "€"}}, 25),
]  # fmt: skip


async def busy_morning(here: World, clock: SimulatedClock) -> ReviewRequest:
    """Several agents at work; the approval that the pictures show."""
    for agent, text, fields, answer in CLOSED:
        here.agent.client_name = agent
        request = await ask_for(here, text, **fields)
        clock.move(140)
        await (await sign_in(here.found)).answer(request.id, answer)
        clock.move(420)
    for question in QUESTIONS:
        fields = dict(question)
        here.agent.client_name = fields.pop("agent")
        seconds = 3600 * fields.pop("hours")
        await ask_for(here, processing_type="time-sensitive", timeout_seconds=seconds, **fields)
        clock.move(90)
    here.agent.client_name = "Claude Code 2.1"
    return await ask_for(
        here, "Run migration **0042** on the production database?", priority="critical",
        processing_type="time-sensitive", timeout_seconds=1830,
        context={"details": DETAILS, "environment": "production", "backup": "2 hours old, restored on staging"},
    )  # fmt: skip


async def take(visit: Visit, into: Path, name: str, width: int, height: int, scheme: Any = "light") -> None:
    """One picture of what the window shows."""
    await visit.page.emulate_media(color_scheme=scheme)
    await visit.page.set_viewport_size({"width": width, "height": height})
    file = into / f"{name}.png"
    await visit.page.screenshot(path=file, animations="disabled")
    head = file.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24]) == (width, height)


async def test_the_pictures_of_the_readme(
    folder: Path, tmp_path: Path, chrome: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("LOGNAME", "USER"):
        monkeypatch.setenv(variable, "Dana")
    into = Path(WANTED) if WANTED else tmp_path
    clock = SimulatedClock(int(MORNING.timestamp() * 1000))
    async with world(folder, clock=clock) as here, visiting(here.found, chrome) as visit:
        approval = await busy_morning(here, clock)
        reviewer = await sign_in(here.found)
        await reviewer.do(routes.REQUEST_CLAIM, (await reviewer.open_requests())[1].id)
        clock.move(30)
        await visit.page.clock.install(time=clock.now / 1000)
        await visit.list()
        await visit.is_live()
        await take(visit, into, "inbox", 1280, 900)
        assert await visit.page.locator(".card").count() == 4

        await visit.open(approval)
        await visit.is_live()
        await take(visit, into, "request", 1280, 900)
        await take(visit, into, "dark", 1280, 900, "dark")
        await take(visit, into, "phone", 390, 844)
