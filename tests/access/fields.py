"""Every form of every page that takes a text, found by looking at the pages: a new one is found by itself."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Page

from tests.access.gallery import PEOPLE, STRANGER, Gallery
from tests.access.places import PLACES

_FORMS = """(root) => {
    const typed = "textarea, input:not([type=hidden], [type=checkbox], [type=radio], [type=submit], [type=button])";
    const shape = (address) => address.split(/[?#]/)[0].replace(/[0-9a-f]{24,64}|(?<=^.join.)\\w+/g, "*");
    const beside = (it, button) => !it.closest("details") || it.closest("details").contains(button);
    return [...root.forms].flatMap((form, number) => {
        const all = [...form.elements], buttons = all.filter((it) => it.matches("button:not([type=button])"));
        return buttons.map((button, at) => {
            const method = (form.getAttribute("method") ?? "get").toUpperCase();
            const to = button.getAttribute("formaction") ?? form.getAttribute("action") ?? "";
            const fields = all.filter((it) => it.matches(typed) && !it.matches(":disabled, [readonly]"))
                .filter((it) => beside(it, button))
                .map((it) => ({ name: it.name, kind: it.getAttribute("type") ?? "text", given: it.value,
                    needed: it.required, most: +(it.getAttribute("maxlength") ?? it.dataset.max ?? 500) }));
            return { number, at, to: `${method} ${shape(to)}`, fields };
        });
    }).filter((it) => it.fields.length);
}"""
_ALL = f"(pages) => pages.map((page) => ({_FORMS})(new DOMParser().parseFromString(page, 'text/html')))"
_SEND = """([number, at, values]) => {
    const form = document.forms[number], all = [...form.elements].filter((it) => !it.disabled);
    const button = all.filter((it) => it.matches("button:not([type=button])"))[at];
    for (const it of all) {
        const others = all.filter((other) => other.name === it.name);
        if (it.matches("textarea, input:not([type=hidden])") && it.name in values) {
            if (it.matches("input")) it.type = "text";  // so that the browser lets any text through
            it.value = values[it.name];
        } else if (it.matches("[type=radio], .choices [type=checkbox]")) {
            if (!others.some((other) => other.checked)) it.checked = true;
        } else if (it.matches("select") && !it.value && button.closest("details")?.contains(it)) {
            it.selectedIndex = it.options.length - 1;  // whom something folded is about
        }
    }
    form.noValidate = button.formNoValidate = true;
    form.requestSubmit(button);
}"""

_NUMBERS = {"number", "range", "time", "date", "datetime-local", "month", "week"}


@dataclass(frozen=True)
class Field:
    """What a person types into.

    Attributes:
        kind: the input's type; of a `textarea` too it is `text`.
        given: what stands there already.
        needed: it may not be empty.
        most: how many characters it takes.
    """

    name: str
    kind: str
    given: str
    needed: bool
    most: int

    @property
    def takes_text(self) -> bool:
        """Whether the browser itself lets any text in."""
        return self.kind not in _NUMBERS


@dataclass(frozen=True)
class Form:
    """A form with one of its buttons.

    Attributes:
        who: meets it.
        address: of its page.
        to: what is sent, and where, with `*` for ids and codes.
        number: of the form on its page; `at`: of the button in the form.
    """

    who: str
    address: str
    to: str
    fields: tuple[Field, ...]
    number: int
    at: int

    @property
    def kind(self) -> tuple[str, ...]:
        """Forms with the same are the same one, on another page."""
        return (self.to, *(f"{one.name} {one.kind}" for one in self.fields))

    @property
    def part(self) -> str:
        """Of the inbox: `requests` and so on."""
        return self.to.split("/")[1]

    @property
    def texts(self) -> set[tuple[str, str]]:
        """What can be typed, and where that goes."""
        return {(self.to, f"{one.name} {one.kind}") for one in self.fields if one.takes_text}

    async def send(self, page: Page, values: dict[str, str]) -> int:
        """Fill it in on the open page and press its button; the status of the page that follows."""
        async with page.expect_navigation() as going:
            await page.evaluate(_SEND, [self.number, self.at, values])
        return (await going.value).status


def _form(who: str, address: str, found: dict[str, Any]) -> Form:
    return Form(who, address, found["to"], tuple(Field(**it) for it in found["fields"]), found["number"], found["at"])


async def all_forms(gallery: Gallery, page: Page) -> list[Form]:
    """One of each kind that there is on any of the places.

    Args:
        page: an empty one, which takes the pages apart.
    """
    wanted = sorted({(place.who, place.address(gallery)) for place in PLACES.values()})
    texts: list[str] = []
    async with AsyncExitStack() as stack:
        known = {who: await stack.enter_async_context(gallery.http(who)) for who in PEOPLE}
        for who, address in wanted:
            texts.append((await known[who].get(address)).text)
    each = zip(wanted, await page.evaluate(_ALL, texts), strict=True)
    found = [_form(who, address, it) for (who, address), forms in each for it in forms]
    return list({form.kind: form for form in found}.values())


def enough(forms: Iterable[Form]) -> list[Form]:
    """So many of them that each text that can be typed is in one."""
    covered: set[tuple[str, str]] = set()
    chosen: list[Form] = []
    for form in sorted(forms, key=lambda one: -len(one.fields)):
        if not form.texts <= covered:
            covered |= form.texts
            chosen.append(form)
    return chosen


async def opened(gallery: Gallery, form: Form, page: Page) -> Form | None:
    """Open the form's page, with a question that nobody has answered where it is about one; the form as it is there."""
    for address in (await _anew(gallery, form.address), form.address):
        await page.goto(gallery.origin + address, wait_until="domcontentloaded")
        here = [_form(form.who, address, it) for it in await page.evaluate(f"() => ({_FORMS})(document)")]
        for one in here:
            if one.kind == form.kind:
                return one
    return None


async def _anew(gallery: Gallery, address: str) -> str:
    """The address of the same with another request, or with other requests that are alike."""
    _, kind, name, *_ = f"{address}//".split("/")
    if kind == "similar":
        both = [await gallery.ask(f"Delete host {number}?", context={"size": number}) for number in (1, 2)]
        return f"/similar/{await gallery.similar(both[0])}"
    if kind != "requests" or name not in gallery.asked.values():
        return address
    asked = (await gallery.call("GET", f"/v1/api/requests/{name}"))["request"]
    wanted = ("request_text", "response_type", "response_config", "context")
    more = {"kind": asked["kind"]} if asked["kind"] == "approval" else {}
    same = {one: asked[one] for one in wanted if asked.get(one) and not (more and one.startswith("response"))}
    return f"/requests/{await gallery.ask(same.pop('request_text'), loop_id=asked['loop_id'], **same, **more)}"


async def left(gallery: Gallery, form: Form) -> None:
    """Be nobody again, where a stranger has come in."""
    if form.who == STRANGER:
        await gallery.people[STRANGER].context.clear_cookies()
