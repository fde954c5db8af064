"""A text is a text, also when a person types it: payloads through every text field of every form of the pages.

In a real browser, by the page's own form with its token. Nothing that is typed runs or becomes an element; what is
taken can be read, literally, on the pages that follow, and what is not taken is refused in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests.access.fields import Field, Form, all_forms, enough, left, opened
from tests.access.gallery import OWNER, PEOPLE, Gallery
from tests.access.harmless import Marks, Witness
from tests.access.payloads import PAYLOADS
from tests.access.places import PLACES

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

WORST = "'\"></textarea></title><script>ran()</script><img src=x onerror=ran()>{{7*7}}"
"""Out of an attribute, a field, a title; an element, a script, a template."""
ADDRESS = "'onfocus='ran()'{{7*7}}"
"""What an e-mail address takes of that."""
SECRET = {"POST /reach/channels": {"address"}}
"""Beside passwords what is never shown again."""
UNSAID = {"POST /sign-in/mail"}
"""Whether an address is known is not said, so it is not repeated either."""
NEVER_TAKEN = {
    ("POST /sign-in", "code"),
    ("POST /sign-in/password", "email"),
    ("POST /loops/*/escalation", "s2-on_option"),
}
"""What nobody knows who types such things; and a step of a ladder that says when, but not what then."""
_UNPARSED = "console warning: The specified value "
"""What was typed past the browser into a field for a number is shown again, and the browser says that it is none."""
_marks = Marks()
"""Of all tests of this file: they share a gallery."""
_LISTS = re.compile(r"/(?!requests|sign-in|join|nothing|similar)[^?]*$")
"""Pages that show what stands on others too."""
_SAID = """() => [...document.querySelectorAll("[role=alert], .fault, main.narrow h1")]
    .some((it) => it.textContent.trim())"""
_BELOW = """() => [...document.querySelectorAll("main a[href]")].map((it) => new URL(it.href).pathname)
    .filter((it) => it.startsWith(`${location.pathname}/`))"""


@dataclass
class Typing:
    """What was typed, and whether it was read again.

    Attributes:
        unread: texts that were taken and not seen yet, and where they were typed.
        secret: what must never be seen.
        raw: what was also typed where something of another kind is wanted, by part of the inbox and name.
        taken: fields of forms, by whether what was typed there was ever taken.
    """

    gallery: Gallery
    witnesses: dict[str, Witness]
    known: set[str]
    unread: dict[str, str] = field(default_factory=dict[str, str])
    secret: dict[str, str] = field(default_factory=dict[str, str])
    raw: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    taken: dict[tuple[str, str], bool] = field(default_factory=dict[tuple[str, str], bool])

    async def type(self, form: Form, payloads: Sequence[str]) -> None:
        """Fill in all of a form's texts at once, each by itself where that is refused; then also what wants others."""
        if not await self._send(form, lambda one, mark: self._meant(form, one, payloads, mark)):
            apart = [one.name for one in form.fields if one.takes_text and one.kind != "password"]
            for name in apart if len(apart) > 1 else ():
                await self._send(form, lambda one, mark, only=name: self._meant(form, one, payloads, mark, only=only))
        if special := {(form.part, one.name) for one in form.fields if self._is_special(form, one)} - self.raw:
            self.raw |= special
            await self._send(form, lambda one, mark: _with(payloads, mark, one))

    async def _send(self, form: Form, choose: Callable[[Field, str], str]) -> bool:
        """Send a form with what is chosen for each of its fields, where that is something; whether it was taken."""
        witness = self.witnesses[form.who]
        here = await opened(self.gallery, form, witness.page)
        if here is None:
            witness.wrong.append(f"{form.to}: is on none of its pages any more")
            return False
        marks = {one.name: _marks.of("").strip() for one in here.fields}
        password = next((marks[one.name] for one in here.fields if one.kind == "password"), "")
        marks |= {one.name: password for one in here.fields if one.kind == "password"}
        values = {one.name: text for one in here.fields if (text := choose(one, marks[one.name]))}
        status = await here.send(witness.page, values)
        where = f"{form.to} with {', '.join(values)}"
        if status >= 400 and not (status < 500 and await witness.page.evaluate(_SAID)):
            witness.wrong.append(f"{where}: {status} without a word")
        for one in here.fields:
            if (text := values.get(one.name, "")) and marks[one.name] in text:
                self._note(form, one, text, marks[one.name], taken=status < 400)
        await self.read(form.who, where)
        if status < 400:
            await self._below(form.who)
        await left(self.gallery, form)
        return status < 400

    def _note(self, form: Form, one: Field, text: str, mark: str, *, taken: bool) -> None:
        """Remember that this was typed."""
        where = f"{form.to}: {one.name}"
        if one.kind == "password":
            self.secret[mark] = where
        elif one.takes_text:
            self.taken[form.to, one.name] = self.taken.get((form.to, one.name), False) or taken
            if taken and one.name in SECRET.get(form.to, ()):
                self.secret[mark] = where
            elif taken and form.to not in UNSAID:
                self.unread[_seen(text)] = where

    async def read(self, who: str, where: str) -> None:
        """Look at the page that is open."""
        witness = self.witnesses[who]
        text = " ".join((await witness.look(where)).split())
        for literal in [it for it in self.unread if it in text]:
            del self.unread[literal]
        witness.wrong += [f"{where}: shows what is secret: {it}" for mark, it in self.secret.items() if mark in text]

    async def _below(self, who: str) -> None:
        """Of what has just come into being all pages."""
        page = self.witnesses[who].page
        if (path := urlsplit(page.url).path) not in self.known and path.startswith("/loops/"):
            for address in await page.evaluate(_BELOW):
                await self.open(who, address)

    async def open(self, who: str, address: str) -> None:
        """Read a page that has no part in what is typed."""
        await self.witnesses[who].page.goto(self.gallery.origin + address)
        await self.read(who, address)

    def _meant(self, form: Form, one: Field, payloads: Sequence[str], mark: str, *, only: str = "") -> str:
        """A text of the kind that is wanted; what stands there already in all but one, where only that is asked for."""
        if not one.takes_text or (only and one.name != only and one.kind != "password"):
            return one.given or ("1" if one.needed else "")
        if one.name in SECRET.get(form.to, ()):
            return f"json://127.0.0.1:9/{mark}"
        special = {"email": f"{ADDRESS}{mark}@example.com", "url": f"{self.gallery.pictures}/{ADDRESS}{mark}"}
        return special.get(one.kind) or _with(payloads, mark, one)

    def _is_special(self, form: Form, one: Field) -> bool:
        return one.kind in ("email", "url") or one.name in SECRET.get(form.to, ())


def _with(payloads: Sequence[str], mark: str, one: Field) -> str:
    """All payloads, or one of them where the field takes no more, with the mark at the end."""
    most = one.most - len(mark) - 1
    whole = " ".join(payloads)
    return f"{(whole if len(whole) <= most else payloads[len(one.name) % len(payloads)])[:most]} {mark}"


def _seen(text: str) -> str:
    """What of a text has to be readable: all of it, or its mark where marks stand for characters nobody can see."""
    return " ".join(text.split()) if text.isascii() and text.isprintable() else text.rsplit(" ", 1)[-1]


async def _typed(gallery: Gallery, payloads: Sequence[str]) -> Typing:
    """Everything typed, and everything read after it."""
    places = {place.address(gallery) for place in PLACES.values()}
    async with AsyncExitStack() as stack:
        witnesses: dict[str, Witness] = {}
        for who in PEOPLE:
            witnesses[who] = await Witness.of(gallery.people[who].context, gallery.origin)
            stack.push_async_callback(witnesses[who].page.close)
        typing = Typing(gallery, witnesses, places)
        for form in enough(await all_forms(gallery, witnesses[OWNER].page)):
            await typing.type(form, payloads)
        for address in sorted(places):
            if _LISTS.match(address):
                await typing.open(OWNER, address)
    return typing


def _wrong(typing: Typing) -> list[str]:
    return [line for one in typing.witnesses.values() for line in one.wrong if _UNPARSED not in line]


async def test_what_a_person_types_stays_text(gallery: Gallery) -> None:
    typing = await _typed(gallery, [WORST])
    wrong = _wrong(typing)
    wrong += [f"{where}: taken, and nowhere to be read: {text}" for text, where in typing.unread.items()]
    refused = {one for one, taken in typing.taken.items() if not taken}
    wrong += [f"{where} was never taken" for where in sorted(refused - NEVER_TAKEN)]
    wrong += [f"{where} is taken now" for where in sorted(NEVER_TAKEN - refused)]
    assert len(typing.taken) > 40, sorted(typing.taken)
    assert not wrong, "\n".join(wrong)


@pytest.mark.nightly
@pytest.mark.parametrize("start", range(0, len(PAYLOADS), 5))
async def test_whatever_a_person_types_stays_text(gallery: Gallery, start: int) -> None:
    typing = await _typed(gallery, PAYLOADS[start : start + 5])
    assert not (wrong := _wrong(typing)), "\n".join(wrong)
