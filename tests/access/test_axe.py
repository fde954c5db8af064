"""Every page in every state is accessible: WCAG 2.2 AA by axe, and what axe does not look at."""

from __future__ import annotations

import re

import pytest

from hitl_mcp.service.inbox import create_inbox
from tests.access import looks
from tests.access.gallery import Gallery
from tests.access.places import PLACES, Place
from tests.test_self_approval import walk

pytestmark = pytest.mark.anyio

NOT_PAGES = {
    "/live", "/sw.js", "/loops/{loop_id:str}/qr/{code:str}", "/reach/phone", "/figures.json",
    "/media/{digest:str}", "/requests/{request_id}/{action:str}", "/similar/{digest}/{action:str}",
}  # fmt: skip
"""A stream, a script, JSON, a picture, redirects."""


def _shape(path: str) -> str:
    """An address without its parameters."""
    return re.sub(r"\{[^}]*\}|/[0-9a-fZ]{9,24}$", "*", path)


async def test_every_page_is_looked_at(gallery: Gallery) -> None:
    inbox = walk(create_inbox(gallery.on.services))
    wanted = {path for method, path in inbox if method == "GET"} - NOT_PAGES
    known = {re.sub(r"[^/]*\*[^/]*", "*", _shape(place.path)) for place in PLACES.values()}
    missing = sorted(path for path in wanted if _shape(path) not in known and not path.startswith("/static"))
    assert not missing, f"pages that are not in tests/access/places.py: {missing}"


def _marks(place: Place) -> list[pytest.MarkDecorator]:
    return [pytest.mark.nightly] if place.nightly else []


@pytest.mark.parametrize("place", [pytest.param(place, id=name, marks=_marks(place)) for name, place in PLACES.items()])
async def test_it_is_accessible(place: Place, gallery: Gallery) -> None:
    """One load: all of it in a wide window; what depends on colours again in the dark, what on width again narrow."""
    page = await gallery.people[place.who].context.new_page()
    trouble = looks.Trouble(gallery.origin)
    trouble.watch(page)
    try:
        await page.set_viewport_size(looks.WIDE)
        await page.emulate_media(reduced_motion="reduce", color_scheme="light")
        await place.reach(gallery, page)
        wrong = await looks.structure(page) + await looks.foreign(page) + await looks.moving(page)
        wrong += await looks.axe(page)
        await page.emulate_media(reduced_motion="reduce", color_scheme="dark")
        wrong += [f"dark: {line}" for line in await looks.axe(page, ["color-contrast"])]
        await page.set_viewport_size(looks.NARROW)
        wrong += [f"narrow: {line}" for line in await looks.axe(page, ["target-size", "color-contrast"])]
        wrong += [f"narrow: {line}" for line in await looks.sideways(page) + await looks.small(page)]
        wrong += [f"narrow: {line}" for line in await looks.focus(page)]
        wrong += trouble.clear()
    finally:
        await page.close()
    assert not wrong, "\n".join(wrong)
