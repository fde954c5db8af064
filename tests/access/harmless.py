"""What an open page tells of texts that somebody sent: that they did nothing, and that they are there to be read."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import BrowserContext, Page

from tests.access import looks

_TRAP = "window.ranAt = []; window.ran = () => { window.ranAt.push(1); };"
_ELEMENTS = """() => {
    const wrong = [];
    const not = "base, iframe, frame, object, embed, portal, style, template, noscript, math, dialog:not(#keys), audio,"
        + "video, source, animate, use, foreignObject, marquee, plaintext, xmp, [onerror], [onload], [srcdoc]";
    for (const it of document.querySelectorAll(not)) wrong.push(`an element: ${it.outerHTML.slice(0, 120)}`);
    for (const it of document.querySelectorAll("meta[http-equiv], svg script")) wrong.push(it.outerHTML.slice(0, 120));
    for (const it of document.querySelectorAll("[href], [src], [action], [formaction], [data], [poster]"))
        for (const name of ["href", "src", "action", "formaction", "data", "poster"]) {
            if (!it.hasAttribute(name)) continue;
            const to = new URL(it.getAttribute(name), location.href), ours = to.origin === location.origin;
            const link = it.matches("a[rel~=noreferrer]") && /^(https?|mailto):$/.test(to.protocol);
            if (!ours && !link) wrong.push(`leads away: ${it.outerHTML.slice(0, 120)}`);
        }
    return wrong.concat(window.ranAt.length ? ["a script ran"] : []);
}"""
_READ = """() => {
    const fields = [...document.querySelectorAll("input, textarea, select, option")];
    const typed = fields.flatMap((it) => [it.value, it.placeholder ?? ""]);
    return [document.documentElement.textContent, ...typed].join("\\n");
}"""


@dataclass
class Marks:
    """Payloads made recognisable, and which of them were put where somebody must be able to read them."""

    count: Iterator[int] = field(default_factory=itertools.count)

    def of(self, payload: str, most: int = 500) -> str:
        """The payload with a mark at its end, at most so long."""
        mark = f" q{next(self.count)}z"
        return payload[: most - len(mark)] + mark

    def all(self, payloads: Sequence[str], most: int = 500) -> list[str]:
        """Several."""
        return [self.of(payload, most) for payload in payloads]


def marks_in(*values: Any) -> set[str]:
    """The marks of whatever was sent."""
    return set(re.findall(r"q\d+z", json.dumps(values)))


@dataclass
class Witness:
    """A page of somebody's browser on which payloads would be noticed.

    Attributes:
        wrong: what they did.
    """

    page: Page
    trouble: looks.Trouble
    wrong: list[str] = field(default_factory=list[str])

    @classmethod
    async def of(cls, context: BrowserContext, origin: str) -> Witness:
        """A new page of a browser that shows the pages of this origin."""
        await context.add_init_script(_TRAP)
        page = await context.new_page()
        trouble = looks.Trouble(origin)
        trouble.watch(page)
        trouble.watch_requests(context)
        return cls(page, trouble)

    async def look(self, where: str) -> str:
        """Note what is wrong with the page that is open; everything that can be read there."""
        await self.page.evaluate("for (const it of document.querySelectorAll('details')) it.open = true")
        found = await self.page.evaluate(_ELEMENTS) + await looks.structure(self.page) + self.trouble.clear()
        self.wrong += [f"{where}: {line}" for line in found]
        return str(await self.page.evaluate(_READ))
