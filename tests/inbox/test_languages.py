"""The interface's texts stand in one catalogue, and the pages speak another language when there is one."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from httpx2 import AsyncClient

from tests import catalogue
from tests.inbox.visit import ask_for, new_code, origin_of
from tests.world import WAIT, World, world

pytestmark = pytest.mark.anyio

OURS = re.compile(
    r"hitl[-_]mcp( inbox| respond)?|HITL_[A-Z_]+|[0-9a-f]{24}|UTC|U\+[0-9A-F]+|\w+://\S+|request\.\w+|loop\.\w+"
    r"|[A-Z][A-Za-z]+/[A-Za-z_/+-]+\d*|GMT\S*|python-httpx2\S*|ABCDE-23456|Slack|Telegram|Discord|Microsoft Teams|ntfy"
)
"""What no language says differently: our name and commands, ids, addresses, events, time zones, others' names."""
ATTRIBUTES = ("alt", "aria-label", "placeholder", "title", "aria-description", "label")
UNREAD = ("script", "style", "code", "kbd")


@dataclass
class Words(HTMLParser):
    """Every text of a page that a person reads or hears: the page's in one piece, and each attribute's."""

    text: list[str] = field(default_factory=list[str])
    attributes: list[str] = field(default_factory=list[str])
    inside: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of what is said in attributes."""
        self.inside = tag
        self.attributes += [value for name, value in attrs if name in ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        """What follows is read again."""
        self.inside = ""
        self.text.append("\n" if tag in ("option", "dd", "dt", "li") else "")

    def handle_data(self, data: str) -> None:
        """Take note of a text."""
        if self.inside not in UNREAD:
            self.text.append(data)


def outside(html: str, *known: str) -> list[str]:
    """English words of a page that came from nowhere in the catalogue.

    Args:
        known: what people have called things.
    """
    words = Words()
    words.feed(html)
    found: list[str] = []
    for said in ("".join(words.text), *words.attributes):
        left, before = OURS.sub(" ", said), ""
        for name in known:
            left = left.replace(name, " ")
        while left != before:  # a text may stand inside another
            before, left = left, re.sub(r"⟦[^⟦⟧]*⟧", " ", left)
        found += [line.strip() for line in left.splitlines() if re.search(r"[A-Za-z]{2}", line)]
    return found


@asynccontextmanager
async def speaking(here: World, language: str) -> AsyncGenerator[AsyncClient]:
    """A signed-in browser that asks for a language."""
    origin = await origin_of(here.found)
    headers = {"Host": origin.removeprefix("http://"), "Accept-Language": f"{language}, en;q=0.5"}
    async with AsyncClient(base_url=here.found.address, headers=headers, timeout=WAIT) as client:
        made = await client.post("/sign-in", data={"code": await new_code(here.found)}, headers={"Origin": "null"})
        client.headers["Cookie"] = f"hitl_session={made.cookies['hitl_session']}"
        yield client


async def names(here: World) -> list[str]:
    """What the service's people and loops are called."""
    loop = (await here.agent.list_loops())[0]
    return [
        loop.name,
        loop.description or "",
        *(member.name or "" for member in await here.agent.list_members(loop.id)),
    ]


PAGES = (
    "/nothing/here",
    "/",
    "/?wall=1",
    "/?priority=low&q=1",
    "/history",
    "/history?outcome=approved",
    "/figures",
    "/reach",
    "/webhooks",
    "/people",
    "/keys",
    "/account",
    "/sign-in",
    "/loops/new",
    "/loops",
)


def test_the_catalogue_holds_what_the_code_says() -> None:
    held = catalogue.TEMPLATE.read_text(encoding="utf-8")
    assert held == catalogue.written(catalogue.collected()), "run python -m tests.catalogue"


async def test_no_text_of_a_page_stands_outside_the_catalogue(tmp_path: Path, folder: Path) -> None:
    catalogue.translated(tmp_path / "locales", "eo", "⟦", "⟧")
    async with world(folder, locales=tmp_path / "locales") as here, speaking(here, "eo") as browser:
        known = [name for name in await names(here) if name]
        here.agent.client_name = "Ω"
        asked, done = await ask_for(here, "Ω 1", context={"Ω": "Ω"}), await ask_for(here, "Ω 2")
        await here.reviewer.answer(done.id, "approve", comment="Ω")
        for path in (*PAGES, f"/requests/{asked.id}", f"/requests/{done.id}", f"/loops/{here.loop_id}"):
            page = await browser.get(path)
            assert 'lang="eo"' in page.text and "⟦" in page.text, path
            assert outside(page.text, *known) == [], path


async def test_a_page_speaks_the_first_language_that_it_knows(tmp_path: Path, folder: Path) -> None:
    catalogue.translated(tmp_path / "locales", "ar", "«", "»")
    async with world(folder, locales=tmp_path / "locales") as here, speaking(here, "de-AT, ar-EG;q=0.8") as browser:
        page = (await browser.get("/nothing/here")).text
        assert '<html lang="ar" dir="rtl">' in page and "«To the inbox»" in page
        english = (await browser.get("/nothing/here", headers={"Accept-Language": "de, *;q=0.1, ar;q=0"})).text
        assert '<html lang="en" dir="ltr">' in english and ">To the inbox<" in english
        both = (await browser.get("/nothing/here", headers={"Accept-Language": "en-GB, ar"})).text
        assert '<html lang="en" dir="ltr">' in both
