"""What is looked at on every page, in a real browser: by axe, and by us where axe does not look."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import BrowserContext, Page, Request, ViewportSize

WIDE: ViewportSize = {"width": 1200, "height": 800}
NARROW: ViewportSize = {"width": 320, "height": 640}
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_NAVIGATED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


async def axe(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What axe finds wrong, a line for each element.

    Args:
        rules: only these, else all of the standards.
    """
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(AXE_SCRIPT)
    only: dict[str, Any] = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": STANDARDS}
    found = await page.evaluate(
        _RUN,
        {"runOnly": only, "resultTypes": ["violations"], "preload": False},
    )
    return [
        f"{it['id']}: {it['help']}: {' '.join(map(str, node['target']))} {node['html'][:160]} {_why(node)}"
        for it in found
        for node in it["nodes"]
    ]


def _why(node: dict[str, Any]) -> str:
    return "; ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])[:300]


_RUN = """async (options) => {
    const agents = (node) => document.querySelector(node.target[0])?.closest(".said");
    const found = (await axe.run(options)).violations;
    // an agent's headings stand in a frame of their own, in whatever order it chose
    for (const it of found) if (it.id === "heading-order") it.nodes = it.nodes.filter((node) => !agents(node));
    return found;
}"""

_STRUCTURE = """() => {
    const wrong = [], count = (what) => document.querySelectorAll(what).length;
    if (!document.title.trim()) wrong.push("no title");
    if (!document.documentElement.lang) wrong.push("no language");
    if (count("h1") !== 1) wrong.push(`${count("h1")} main headings`);
    for (const part of ["main", "header"]) if (count(`body > ${part}`) !== 1) wrong.push(`${count(part)} of ${part}`);
    for (const it of document.querySelectorAll("[style], script:not([src]), style"))
        wrong.push(`inline: ${it.outerHTML.slice(0, 100)}`);
    for (const it of document.querySelectorAll("*"))
        for (const name of it.getAttributeNames()) if (name.startsWith("on")) wrong.push(`inline handler ${name}`);
    const seen = new Set();
    for (const { id } of document.querySelectorAll("[id]")) seen.has(id) ? wrong.push(`two of #${id}`) : seen.add(id);
    return wrong;
}"""

_FOREIGN = """() => {
    const rtl = /[\\u0590-\\u08ff]/, wrong = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const it = walker.currentNode.parentElement;
        if (!rtl.test(walker.currentNode.data) || it.closest("script, style, option")) continue;
        // a sentence of ours around a name
        if (/[a-z]/i.test(walker.currentNode.data) && !it.closest(".said")) continue;
        if (!it.closest("[dir=auto], bdi")) wrong.push(`no dir=auto: ${it.outerHTML.slice(0, 120)}`);
    }
    return wrong;
}"""

_MOVING = """() => [...document.querySelectorAll("*")].flatMap((it) => ["", "::before", "::after"].flatMap((part) => {
    const style = getComputedStyle(it, part || null);
    const long = (times) => times.split(",").some((time) => parseFloat(time) > 0.01);
    return long(style.transitionDuration) || (style.animationName !== "none" && long(style.animationDuration))
        || style.scrollBehavior === "smooth" ? [`${it.tagName}.${it.className}${part} moves`] : [];
})).slice(0, 8)"""

_SMALL = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [role=button]")]
    .filter((it) => it.type !== "hidden" && it.checkVisibility({ visibilityProperty: true }))
    .filter((it) => !(it.matches("a") && getComputedStyle(it).display === "inline"))  // in a line of text
    .filter((it) => !it.matches(".skip") && getComputedStyle(it).opacity !== "0")
    .map((it) => [it, (it.matches("[type=radio], [type=checkbox], .line") && it.closest("label, .card") || it)])
    .map(([it, whole]) => [it, whole.getBoundingClientRect()])
    .filter(([, box]) => box.width < 23.9 || box.height < 23.9)
    .map(([it, box]) => `${it.outerHTML.slice(0, 100)} is ${box.width.toFixed(1)} by ${box.height.toFixed(1)}`)"""

_SIDEWAYS = """(width) => document.documentElement.scrollWidth <= width ? [] : [
    `the page is ${document.documentElement.scrollWidth} pixels wide: `
    + [...document.querySelectorAll("body *")].filter((it) => it.getBoundingClientRect().right > width + 1).slice(0, 5)
        .map((it) => `${it.tagName}.${it.className} ${Math.round(it.getBoundingClientRect().right)}`)]"""

_FOCUS = """() => {
    const it = document.activeElement;
    if (!it || it === document.body) return null;
    const ring = (of, part) => { const style = getComputedStyle(of, part);
        return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0; };
    const holders = [it, it.nextElementSibling, it.closest(".card"), it.closest("label"), it.parentElement];
    const boxes = [it, ...(it.closest("label") ? [it.closest("label")] : [])].map((one) => one.getBoundingClientRect());
    const box = boxes[0];
    const at = (x, y) => { const top = document.elementFromPoint(x, y);
        return top && (top === it || it.contains(top) || top.contains(it) || top.closest("label")?.contains(it)
            || top.closest(".card")?.contains(it)); };
    const inside = (y) => y > 0 && y < innerHeight;
    const points = [0.1, 0.5, 0.9].flatMap((across) => [0.1, 0.5, 0.9].map((down) =>
        [box.left + box.width * across, box.top + box.height * down])).filter(([, y]) => inside(y));
    return { what: it.outerHTML.slice(0, 120), ring: holders.some((one) => one && ring(one)),
        covered: points.length === 0 || !points.some(([x, y]) => at(x, y)),
        key: [it.id, it.outerHTML.slice(0, 200), Math.round(box.top + scrollY), Math.round(box.left)].join("|") };
}"""


_PARTS = 8
"""How often Tab may stay within one element: a date's field has a stop for each of its parts."""


async def structure(page: Page) -> list[str]:
    """Title, language, headings, landmarks, unique ids, and nothing inline that the policy would refuse."""
    return await page.evaluate(_STRUCTURE)


async def foreign(page: Page) -> list[str]:
    """What others wrote stands in its own direction."""
    return await page.evaluate(_FOREIGN)


async def moving(page: Page) -> list[str]:
    """What moves although the person asked for less motion; the page's context says so."""
    return await page.evaluate(_MOVING)


async def small(page: Page) -> list[str]:
    """What is pressed and is smaller than 24 by 24 pixels (2.5.8), links in a line of text aside."""
    return await page.evaluate(_SMALL)


async def sideways(page: Page) -> list[str]:
    """What makes the page wider than its window (1.4.10)."""
    size = page.viewport_size
    return await page.evaluate(_SIDEWAYS, size["width"] if size else 0)


async def focus(page: Page, most: int = 60) -> list[str]:
    """Walk the page by Tab: each stop can be seen (2.4.7), nothing lies on it (2.4.11), and none holds the keyboard."""
    wrong: list[str] = []
    seen: set[str] = set()
    await page.evaluate("() => { document.activeElement?.blur(); scrollTo(0, 0); }")
    last, again = "", 0
    for _ in range(most):
        await page.keyboard.press("Tab")
        at = await page.evaluate(_FOCUS)
        if at is None:
            break
        again = again + 1 if at["key"] == last else 0
        if again > _PARTS:
            wrong.append(f"the keyboard is caught at {at['what']}")
        if again > _PARTS or (at["key"] in seen and not again):
            break
        if again:
            continue
        last = at["key"]
        seen.add(last)
        if not at["ring"]:
            wrong.append(f"nothing shows that the keyboard is on {at['what']}")
        if at["covered"]:
            wrong.append(f"something covers {at['what']}")
    return wrong


@dataclass
class Trouble:
    """What a browser complains of, and what leaves the origin."""

    origin: str
    said: list[str] = field(default_factory=list[str])

    def watch(self, page: Page) -> None:
        """Note what this page does."""
        page.on("dialog", lambda dialog: self.said.append(f"dialog {dialog.message}"))
        page.on("pageerror", lambda error: self.said.append(f"error {error}"))
        page.on("console", lambda line: self._console(line.type, line.text))
        page.on("popup", lambda other: self.said.append(f"window {other.url}"))
        page.on("download", lambda it: self.said.append(f"download {it.url}"))

    def watch_requests(self, context: BrowserContext) -> None:
        """Note what this browser asks elsewhere."""
        context.on("request", self._request)

    def _console(self, kind: str, text: str) -> None:
        if not _NAVIGATED.match(text):  # the page itself, which its test has expected
            self.said.append(f"console {kind}: {text}")

    def _request(self, sent: Request) -> None:
        if not sent.url.startswith(self.origin + "/"):
            self.said.append(f"request {sent.url}")

    def clear(self) -> list[str]:
        """What was said since the last time."""
        said, self.said = self.said, []
        return said
