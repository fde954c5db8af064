"""Every response type: its control, its limits, and what the agent gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from hitl_mcp.contract.states import Status
from tests.inbox.visit import ask_for, now, visiting
from tests.world import world

pytestmark = pytest.mark.anyio

Given = str | Sequence[str]


@dataclass(frozen=True)
class Type:
    """One response type: what is refused, with which words, and what is taken, as what."""

    name: str
    config: dict[str, Any]
    control: str
    bad: Sequence[tuple[Given, str]]
    good: Given
    answer: Any

    @property
    def fields(self) -> dict[str, Any]:
        """What makes a request of this type; an approval has none."""
        return {} if self.name == "approval" else {"response_type": self.name, "response_config": self.config}


TYPES = (
    Type(
        "single_select",
        {"options": [{"value": "pg", "label": "PostgreSQL 17", "description": "One more server"}, "SQLite", "DuckDB"]},
        "radio",
        [((), "Choose one of the answers"), (("Oracle",), "must be one of")],
        ("pg",),
        "pg",
    ),
    Type(
        "multi_select",
        {"options": ["Logs", "Metrics", "Traces"], "min_selections": 1, "max_selections": 2},
        "checkbox",
        [((), "Choose at least one"), (("Logs", "Metrics", "Traces"), "at most 2")],
        ("Traces", "Logs"),
        ["Logs", "Traces"],
    ),
    Type(
        "rating",
        {"scale_min": 1, "scale_max": 5, "labels": {"1": "useless", "5": "perfect"}},
        "radio",
        [((), "Choose a value on the scale"), (("6",), "must be between 1 and 5")],
        ("4",),
        4,
    ),
    Type(
        "rating",
        {"scale_min": 0, "scale_max": 100, "scale_step": 5},
        "field",
        [("", "Choose a value"), ("37", "multiple of 5"), ("105", "between 0 and 100")],
        "35",
        35,
    ),
    Type(
        "number",
        {"min_value": 0, "max_value": 500, "decimal_places": 2, "prefix": "€", "suffix": "per day"},
        "field",
        [("", "Type a number"), ("500.01", "between 0 and 500"), ("-1", "negative"), ("1.234", "2 decimal places")],
        "12.5",
        12.5,
    ),
    Type(
        "text",
        {"min_length": 3, "max_length": 20, "required": True, "placeholder": "One sentence"},
        "field",
        [("", "Type an answer"), ("ab", "between 3 and 20"), ("<b>more than twenty</b>", "between 3 and 20")],
        'Über 😀\n"x" <y>',
        'Über 😀\n"x" <y>',
    ),
    Type(
        "boolean",
        {"true_label": "Delete them", "false_label": "Keep them"},
        "button",
        [("maybe", "must be true or false"), ("1", "must be true or false")],
        "false",
        False,
    ),
    Type(
        "editable_text",
        {"draft_text": "\nDear Ms. Okafor,\r\n\r\nthank you.", "max_length": 60},
        "field",
        [("y" * 61, "has 61")],
        "Dear Ms. Okafor,\nthanks!",
        {"revised_text": "Dear Ms. Okafor,\nthanks!", "was_edited": True},
    ),
    Type(
        "approval",
        {},
        "button",
        [("approved", "must be one of"), ("", "Choose one of the answers")],
        "approve",
        "approve",
    ),
)


async def give(page: Page, control: str, given: Given) -> int:
    """Put an answer into the page's control and send it; the status of what follows.

    The browser's own checks are off, as in a browser that has none; what no control offers replaces the first's value.
    """
    async with page.expect_navigation() as going:
        await page.evaluate(
            """([control, given]) => {
                const form = document.getElementById("answer-form");
                form.noValidate = true;
                if (control === "field") {
                    form.elements.answer.value = given;
                    form.querySelector(".send").click();
                } else if (control === "button") {
                    const buttons = [...form.querySelectorAll("button[name=answer]")];
                    const button = buttons.find((one) => one.value === given) ?? buttons[0];
                    button.value = given;
                    button.click();
                } else {
                    const boxes = [...form.querySelectorAll(`input[type=${control}][name=answer]`)];
                    for (const box of boxes) box.checked = given.includes(box.value);
                    const unknown = given.find((value) => !boxes.some((box) => box.value === value));
                    if (unknown) Object.assign(boxes[0], { value: unknown, checked: true });
                    form.querySelector(".send").click();
                }
            }""",
            [control, given if isinstance(given, str) else list(given)],
        )
    response = await going.value
    return response.status


async def shown(page: Page, control: str) -> Given:
    """What the control holds."""
    if control == "field":
        return await page.input_value("#answer-input")
    return await page.eval_on_selector_all("#answer-form input:checked", "(boxes) => boxes.map((box) => box.value)")


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: f"{kind.name}-{kind.control}")
async def test_a_type_takes_what_fits_and_keeps_what_does_not(folder: Path, chrome: Browser, kind: Type) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        page = visit.page
        request = await ask_for(here, "What shall it be?", **kind.fields)
        await visit.open(request)
        for number, (given, words) in enumerate(kind.bad):
            await page.fill("#comment", f"kept <{number}>")
            assert await give(page, kind.control, given) == 422
            assert words in await page.inner_text("section.fault"), "said on top"
            assert words in await page.inner_text("#answer-fault"), "said at the control"
            assert await page.input_value("#comment") == f"kept <{number}>"
            offered = all(one in str(kind.config) for one in given)
            if kind.control == "field" or (kind.control != "button" and offered):
                assert await shown(page, kind.control) == (given if isinstance(given, str) else list(given))
            assert (await now(here, request)).status is Status.PENDING

        too_long = "c" * 2001
        await page.evaluate("(text) => { document.getElementById('comment').value = text }", too_long)
        assert await give(page, kind.control, kind.good) == 422
        assert await page.input_value("#comment") == too_long
        if kind.control == "field":
            assert await shown(page, kind.control) == kind.good

        await page.fill("#comment", "")
        assert await give(page, kind.control, kind.good) == 200
        assert "You decided" in await visit.words() or "You answered" in await visit.words()
        answer = await now(here, request)
        assert answer.response_data == kind.answer and answer.response_comment is None
        assert type(answer.response_data) is type(kind.answer), "true is not 1, and 4 is not 4.0"


async def test_controls_tell_their_limits_to_the_browser_and_to_the_reader(folder: Path, chrome: Browser) -> None:
    """What a browser refuses by itself never comes here; what it shows says what fits."""
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        for kind in TYPES:
            if kind.control != "field":
                continue
            await visit.open(
                await ask_for(here, f"{kind.config}", response_type=kind.name, response_config=kind.config)
            )
            field = visit.page.locator("#answer-input")
            for given, _ in kind.bad:
                # a text is cut while it is typed, so that a script's text alone can be too long
                if kind.name in ("rating", "number") or len(given) < 3:
                    await field.fill(str(given))
                    assert not await field.evaluate("(it) => it.checkValidity()"), f"{kind.name} takes {given!r}"
            await field.fill(str(kind.good))
            assert await field.evaluate("(it) => it.checkValidity()"), f"{kind.name} refuses {kind.good!r}"
            hint = await visit.page.inner_text("#answer-hint")
            for name in ("min_value", "max_value", "max_length", "min_length", "scale_min", "scale_max", "scale_step"):
                if name in kind.config:
                    assert str(kind.config[name]) in hint, f"the hint of {kind.name} does not tell {name}"


async def test_a_draft_sent_back_untouched_counts_as_not_edited(folder: Path, chrome: Browser) -> None:
    draft = "\n  Dear all,\r\n\r\nline two  \n"
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        request = await ask_for(here, response_type="editable_text", response_config={"draft_text": draft})
        await visit.open(request)
        await visit.send("Send this answer")
        assert (await now(here, request)).response_data == {"revised_text": draft, "was_edited": False}


async def test_labels_that_hide_what_is_sent_are_shown_with_it(folder: Path, chrome: Browser) -> None:
    """H6: the agent may label `drop` as "Keep everything"; the person sees what the agent receives."""
    options = [{"value": "drop", "label": "Keep everything"}, {"value": "ask_later", "label": "Ask later"}]
    async with world(folder) as here, visiting(here.found, chrome) as visit:
        await visit.open(await ask_for(here, response_type="single_select", response_config={"options": options}))
        first, second = await visit.page.locator(".choice").all_inner_texts()
        assert "the agent receives: drop" in first
        assert "the agent receives" not in second, "said only where the label does not say it"

        config = {"true_label": "No, stop", "false_label": "Yes, go on"}
        await visit.open(await ask_for(here, response_type="boolean", response_config=config))
        buttons = await visit.page.locator("button[name=answer]").all_inner_texts()
        assert "the agent receives: true" in buttons[0] and "the agent receives: false" in buttons[1]
        assert "chosen by the agent" in await visit.words()
