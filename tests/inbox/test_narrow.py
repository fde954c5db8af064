"""Every page at 320 CSS pixels, the width of a small phone or of a desktop at 400 %: nothing scrolls sideways."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from hitl_mcp.contract import routes
from tests.inbox.test_answers import TYPES, give
from tests.inbox.visit import Visit, ask_for, change, visiting
from tests.world import SimulatedClock, World, world

pytestmark = pytest.mark.anyio

WIDTH = 320
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
WIDE = f"""# {LONG}

| {LONG} | b | c | d | e | f | g | h |
|---|---|---|---|---|---|---|---|
| one | two | three | four | five | six | seven | {LONG} |

```sql
SELECT {", ".join(f"column_{number}" for number in range(30))} FROM {LONG};
```

1. - > 1. - > 1. - > nested {LONG}

<https://example.com/{LONG}>
"""


def nested(depth: int) -> Any:
    """A context as deep as is allowed."""
    value: Any = {"leaf": LONG, "list": [[["deep", LONG]]]}
    for level in range(depth):
        value = {f"level_{level}": value}
    return value


async def fits(page: Page, what: str) -> None:
    """The page is not wider than the window; what sticks out is named."""
    wide = await page.evaluate("document.documentElement.scrollWidth")
    if wide > WIDTH:
        out = await page.evaluate(
            """(width) => [...document.querySelectorAll("body *")]
                .filter((it) => it.getBoundingClientRect().right > width + 1).slice(0, 8)
                .map((it) => `${it.tagName}.${it.className} ${Math.round(it.getBoundingClientRect().right)}`)""",
            WIDTH,
        )
        raise AssertionError(f"{what} is {wide} pixels wide: {out}")


State = Callable[[World, Visit, SimulatedClock], Awaitable[object]]


async def _doorstep(here: World, visit: Visit, _: SimulatedClock) -> None:
    await visit.page.goto(f"http://localhost:{here.found.state.port}/requests/{'0' * 24}")
    await visit.page.get_by_role("button", name="Open my inbox").click()
    await visit.page.get_by_text("Open it from a terminal").wait_for()
    await fits(visit.page, "the advice of the doorstep")
    await visit.page.go_back()


async def _missing(_: World, visit: Visit, __: SimulatedClock) -> None:
    await visit.page.goto(f"{visit.origin}/requests/{'0' * 24}")


async def _long(here: World, visit: Visit, _: SimulatedClock) -> None:
    here.agent.client_name = "W" * 100
    await visit.open(await ask_for(here, WIDE, priority="critical", context={"details": WIDE, LONG: LONG}))
    await fits(visit.page, "the closed source")
    await visit.page.evaluate("for (const it of document.querySelectorAll('details')) it.open = true")


async def _list(here: World, visit: Visit, _: SimulatedClock) -> None:
    claimed = await ask_for(here, LONG)
    await here.reviewer.do(routes.REQUEST_CLAIM, claimed.id)
    await visit.list()
    await visit.is_live()


async def _deep(here: World, visit: Visit, _: SimulatedClock) -> None:
    await visit.open(await ask_for(here, context=nested(28)))


async def _table_of_context(here: World, visit: Visit, _: SimulatedClock) -> None:
    await visit.open(await ask_for(here, context={f"{LONG} {number}": [LONG, number] for number in range(300)}))


async def _changed(here: World, visit: Visit, _: SimulatedClock) -> None:
    request = await ask_for(here, context={"a": LONG})
    await visit.open(request)
    await visit.is_live()
    await visit.page.fill("#comment", LONG)
    await change(here, request, request_text=WIDE[:1900], context={"b": [LONG, {"c": LONG}]})
    await expect(visit.page.locator("#news")).to_be_visible()
    await fits(visit.page, "the bar about a change")
    await visit.send("Approve", then=409)
    await visit.page.evaluate("for (const it of document.querySelectorAll('details')) it.open = true")


async def _too_late(here: World, visit: Visit, _: SimulatedClock) -> None:
    request = await ask_for(here)
    await visit.open(request)
    await here.reviewer.answer(request.id, "approve", comment=LONG)
    await visit.page.fill("#comment", LONG)
    await visit.send("Approve", then=409)


async def _expired(here: World, visit: Visit, clock: SimulatedClock) -> None:
    request = await ask_for(here, WIDE, processing_type="time-sensitive", timeout_seconds=60)
    clock.move(61)
    await visit.open(request)


async def _cancelled(here: World, visit: Visit, _: SimulatedClock) -> None:
    request = await ask_for(here, WIDE)
    await here.agent.cancel_request(request.id)
    await visit.open(request)


async def _long_answer(here: World, visit: Visit, _: SimulatedClock) -> None:
    request = await ask_for(here, response_type="text", response_config={})
    await here.reviewer.answer(request.id, f"{LONG}\n{LONG}", comment=LONG)
    await visit.list()
    await fits(visit.page, "the list with a long answer")
    await visit.open(request)


async def _long_choices(here: World, visit: Visit, _: SimulatedClock) -> None:
    options = [
        {"value": f"{number} {LONG[:90]}", "label": f"{LONG}{number}", "description": LONG * 3, "color": "#2563eb"}
        for number in range(3)
    ]
    await visit.open(await ask_for(here, response_type="single_select", response_config={"options": options}))
    await fits(visit.page, "long options")
    config = {"true_label": LONG[:99], "false_label": "x" * 99}
    await visit.open(await ask_for(here, response_type="boolean", response_config=config))
    await fits(visit.page, "long buttons")
    scale = {"scale_min": 100000, "scale_max": 100010, "labels": {"100000": LONG, "100010": LONG}}
    await visit.open(await ask_for(here, response_type="rating", response_config=scale))
    await fits(visit.page, "a long scale")
    number = {"max_value": 5, "prefix": "W" * 20, "suffix": "M" * 20, "placeholder": LONG}
    await visit.open(await ask_for(here, response_type="number", response_config=number))


async def _signed_out(_: World, visit: Visit, __: SimulatedClock) -> None:
    await visit.page.goto(f"{visit.origin}/sign-in")
    await visit.page.fill("#code", "WRONG-WRONG")
    await visit.page.get_by_role("button", name="Sign in").click()
    await visit.page.get_by_text("This sign-in is used up").wait_for()
    await fits(visit.page, "a refused sign-in")
    await visit.list()
    await visit.page.get_by_role("button", name="Sign out").click()
    await visit.page.get_by_text("Signed out").wait_for()


STATES: dict[str, State] = {
    state.__name__.removeprefix("_"): state
    for state in (_doorstep, _missing, _long, _list, _deep, _table_of_context, _changed, _too_late, _expired,
                  _cancelled, _long_answer, _long_choices, _signed_out)
}  # fmt: skip


async def test_no_page_is_wider_than_a_small_phone(folder: Path, chrome: Browser) -> None:
    clock = SimulatedClock()
    wrong: list[str] = []
    async with (
        world(folder, clock=clock) as here,
        visiting(here.found, chrome, viewport={"width": WIDTH, "height": 640}) as visit,
    ):
        await visit.list()
        await fits(visit.page, "the empty list")
        for name, state in STATES.items():
            try:
                await state(here, visit, clock)
                await fits(visit.page, name)
            except AssertionError as error:
                wrong.append(str(error))
    assert not wrong, "\n".join(wrong)


async def test_no_form_is_wider_than_a_small_phone(folder: Path, chrome: Browser) -> None:
    async with (
        world(folder) as here,
        visiting(here.found, chrome, viewport={"width": WIDTH, "height": 640}) as visit,
    ):
        for kind in TYPES:
            await visit.open(await ask_for(here, **kind.fields))
            await fits(visit.page, f"the form of {kind.name}")
            assert await give(visit.page, kind.control, kind.bad[0][0]) == 422
            await fits(visit.page, f"a refused answer to {kind.name}")
            assert await give(visit.page, kind.control, kind.good) == 200
            await fits(visit.page, f"the answer to {kind.name}")


async def test_what_is_pressed_on_a_phone_is_large_enough_and_nothing_lies_on_it(folder: Path, chrome: Browser) -> None:
    async with (
        world(folder) as here,
        visiting(here.found, chrome, viewport={"width": 390, "height": 844}, has_touch=True) as visit,
    ):
        await visit.open(await ask_for(here))
        for name in ("Approve", "Reject", "Needs Changes", "Claim for 15 minutes"):
            button = visit.page.get_by_role("button", name=name)
            await button.scroll_into_view_if_needed()
            box = await button.bounding_box()
            assert box is not None and box["height"] >= 36 and box["width"] >= 44, (name, box)
            await button.tap(trial=True)
