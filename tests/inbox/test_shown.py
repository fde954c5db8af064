"""What the agent gives is readable: code in colours, records as tables, its claims as its own, letters as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.inbox.visit import Visit, ask_for, visiting
from tests.rest.pictures import picture_server
from tests.world import World, world

pytestmark = pytest.mark.anyio

CODE = 'def f(x: int) -> str:\n    return "a\\nb" + str(x)  # <b>\n'
DIFF = "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-old <i>\n+new\n same\n"


async def test_code_and_differences_are_coloured_and_every_character_stays(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        details = f"```python\n{CODE}```\n\n```\n{DIFF}```\n\n```nonsense\nplain\n```"
        await visit.open(await ask_for(here, "Run it?", context={"details": details, "patch": DIFF, "text": "a\nb"}))
        blocks = page.locator(".details pre")
        assert (await blocks.nth(0).inner_text()).rstrip() == CODE.rstrip()
        assert await blocks.nth(0).locator("span.k").first.inner_text() == "def"
        assert await blocks.nth(0).locator("span.c1").inner_text() == "# <b>"
        assert await blocks.nth(1).locator("span.gd").all_text_contents() == ["-old <i>\n"]
        assert await blocks.nth(1).locator("span.gi").all_text_contents() == ["+new\n"]
        assert await blocks.nth(2).locator("span").count() == 0
        assert await page.locator("pre.code .gi").all_text_contents() == ["+new\n"], (
            "a difference in the context is one too"
        )
        assert "Formatting hides some" not in await visit.words()


async def test_the_context_is_a_tree_with_tables_and_what_is_folded_is_counted(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        records = [{"table": f"t{number}", "rows": number} for number in range(3)]
        context = {"records": records, "many": {f"host {number}": number for number in range(30)}, "one": True}
        await visit.open(await ask_for(here, "Go?", context=context))
        assert await page.locator(".records th").all_inner_texts() == ["rows", "table"]
        assert await page.locator(".records td").all_inner_texts() == ["0", "t0", "1", "t1", "2", "t2"]
        await expect(page.get_by_text("host 7")).to_be_hidden()
        await page.get_by_text("30 values, folded").click()
        await expect(page.get_by_text("host 7")).to_be_visible()


async def test_what_the_agent_says_of_its_own_work_stands_in_its_frame(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        context = {"confidence": 0.82, "flags": ["pii", "<b>"], "risk": "high", "ai_analysis": {"risk_score": 40}}
        await visit.open(await ask_for(here, "Go?", context=context))
        agent = await visit.page.inner_text(".agent")
        for words in ("its confidence is 0.82", "raises flags: pii, <b>", "the risk is high", "the risk is 40"):
            assert f"The agent says {words}" in agent or f"The agent {words}" in agent, words
        values = await visit.page.locator("meter").evaluate_all("(all) => all.map((it) => it.value)")
        assert values == [0.82, 0.4]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Pay раypal now", "Pay [ра Cyrillic U+0440 U+0430]ypal now"),
        ("Log in at аррӏе", "[аррӏе Cyrillic U+0430 U+0440 U+04CF U+0435]"),
        ("ｐaypal", "[ｐ Fullwidth U+FF50]aypal"),
        ("пaроль", "п[a Latin U+0061]роль"),
        ("Оплатите счёт VIP-клиента", ""),
        ("Δt is 3 kΩ, TNFα, naïve café, Größe, 東京 A", ""),
    ],
)
async def test_letters_of_another_alphabet_that_look_alike_are_marked_and_explained(
    folder: Path, chrome: Browser, text: str, shown: str
) -> None:
    async with world(folder) as here, visiting(here.found, chrome, java_script_enabled=False) as visit:
        await visit.open(await ask_for(here, text))
        assert (shown or text) in (await visit.page.title())
        marks = await visit.page.locator(".agent .said mark").count()
        explained = "Some characters of this text are marked" in await visit.words()
        assert (marks > 0, explained) == (bool(shown), bool(shown))


async def test_an_image_is_enlarged_by_keyboard_and_without_script(folder: Path, chrome: Browser) -> None:
    with picture_server() as address:
        async with world(folder, outgoing_allow="127.0.0.1") as here, visiting(here.found, chrome) as visit:
            await enlarge(here, visit, f"{address}/a.png")


async def enlarge(here: World, visit: Visit, address: str) -> None:
    """Ask with an image, and look at it."""
    page = visit.page
    await visit.open(await ask_for(here, "Look", type="image", image_url=address))
    await visit.is_live()
    await page.focus("a.zoom")
    await page.keyboard.press("Enter")
    await expect(page.locator("dialog.enlarged img")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog.enlarged")).to_have_count(0)
    target = await page.get_attribute("a.zoom", "href")
    assert target is not None and target.startswith("/media/")
