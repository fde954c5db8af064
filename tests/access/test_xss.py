"""A text is a text: a corpus of payloads through every field that an agent, a key or a person fills in.

In a real browser: nothing runs, nothing is asked elsewhere, the policy has nothing to report, the page has no element
that a text brought along, and every text is there to be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from hitl_mcp.contract import routes
from tests.access.gallery import OWNER, Gallery
from tests.access.harmless import Marks, Witness, marks_in
from tests.access.payloads import PAYLOADS
from tests.access.places import PLACES
from tests.world import WAIT, Reviewer

pytestmark = pytest.mark.anyio


@dataclass
class Stage:
    """A page that tells what payloads cause, and an agent that sends them."""

    gallery: Gallery
    witness: Witness
    marks: Marks = field(default_factory=Marks)

    async def ask(self, *, client: str = "", **body: Any) -> str:
        """A question of an agent with this name."""
        on = self.gallery.on
        path = routes.LOOP_REQUESTS.format(loop_id=self.gallery.loop_id)
        headers = {"Authorization": f"Bearer {self.gallery.key.key}"}
        if client:
            headers[routes.CLIENT_NAME] = quote(client)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{on.services.keys.port}", timeout=WAIT) as agent:
            made = await agent.post(path, json=body, headers=headers)
        assert made.status_code == 201, made.text
        return str(made.json()["data"]["request_id"])

    async def is_harmless(self, path: str, expected: set[str], *further: str) -> None:
        """Open a page on which these marks must be readable, there or on one of the further pages."""
        missing = expected
        for page in (path, *further):
            await self.witness.page.goto(self.gallery.origin + page)
            missing = missing - set(re.findall(r"q\d+z", await self.witness.look(page)))
            if not missing:
                return
        self.witness.wrong.append(f"{path}: {len(missing)} texts are not shown: {sorted(missing)[:5]}")


def _chunks(size: int) -> list[list[str]]:
    return [PAYLOADS[start : start + size] for start in range(0, len(PAYLOADS), size)]


async def _on(gallery: Gallery) -> Stage:
    return Stage(gallery, await Witness.of(gallery.people[OWNER].context, gallery.origin))


def _questions(marks: Marks) -> Iterator[tuple[dict[str, Any], set[str]]]:
    """Requests with a payload in every text that an agent can set, and the marks that a person must see."""
    for some in _chunks(20):
        options = [
            {"value": marks.of(it, 100), "label": marks.of(it, 200), "description": marks.of(it), "color": "#2563eb"}
            for it in some
        ]
        context = {"details": "\n\n".join(marks.all(some)), **{marks.of(it, 90): marks.of(it) for it in some}}
        text = "\n\n".join(marks.all(some, 95))
        for kind in ("single_select", "multi_select"):
            shown = {"request_text": text, "context": context, "response_config": {"options": options}}
            hidden = {"tags": marks.all(some, 100), "platform_version": marks.of(some[0], 100),
                      "callback_url": f"https://evil.example/{marks.of('')[1:]}'\"><script>ran()</script>"}  # fmt: skip
            yield {**shown, **hidden, "response_type": kind}, marks_in(shown)
        labels = {str(number): marks.of(it) for number, it in enumerate(some, 1)}
        yield {"request_text": "?", "response_type": "rating",
               "response_config": {"scale_max": 20, "labels": labels}}, marks_in(labels)  # fmt: skip
        draft = {"draft_text": "\n".join(marks.all(some)), "placeholder": marks.of(some[0])}
        yield {"request_text": "?", "response_type": "editable_text", "response_config": draft}, marks_in(draft)
        yield _form(marks, some)
        links = [f"https://files.example/{number}?{''.join(it.split())}" for number, it in enumerate(some[:10])]
        names = marks.all(some[:10], 255)
        yield {"request_text": "?", "kind": "approval", "file_urls": links, "file_names": names,
               "video_urls": links, "audio_urls": links, "image_urls": None}, marks_in(names)  # fmt: skip
    for at in range(0, len(PAYLOADS), 8):
        one, two = PAYLOADS[at], PAYLOADS[min(at + 1, len(PAYLOADS) - 1)]
        yes = {"true_label": marks.of(one, 99), "false_label": marks.of(two, 100)}
        yield {"request_text": "?", "response_type": "boolean", "response_config": yes}, marks_in(yes)
        number = {"max_value": 9, "prefix": marks.of(one, 20), "suffix": marks.of(two, 20),
                  "placeholder": marks.of(one, 200)}  # fmt: skip
        yield {"request_text": "?", "response_type": "number", "response_config": number}, marks_in(number)


def _form(marks: Marks, some: Sequence[str]) -> tuple[dict[str, Any], set[str]]:
    fields: list[dict[str, Any]] = []
    for it in some:
        name = "".join(char for char in marks.of(it, 100) if char.isprintable()).strip()
        kind = ("text", "rich_text", "select", "checkbox_group", "number", "content_display", "code_display",
                "table_display", "boolean")[len(fields) % 9]  # fmt: skip
        one: dict[str, Any] = {"name": name, "type": kind, "label": marks.of(it, 200)}
        if kind in ("text", "rich_text"):
            one |= {"initial": marks.of(it), "placeholder": marks.of(it)}
        elif kind == "number":
            one |= {"prefix": marks.of(it, 20), "suffix": marks.of(it, 20), "placeholder": marks.of(it, 200)}
        elif kind in ("select", "checkbox_group"):
            one |= {"options": [marks.of(it, 100), marks.of(it[::-1], 100)]}
        elif kind == "boolean":
            one |= {"true_label": marks.of(it, 99), "false_label": marks.of(it, 100)}
        elif kind == "table_display":
            one |= {"initial": [{marks.of(it): marks.of(it)}]}
        else:
            one |= {"initial": marks.of(it)}
        fields.append(one)
    body = {"request_text": "?", "response_type": "form", "response_config": {"fields": fields}}
    unnamed = [{**one, "name": ""} if one["type"].endswith("display") else one for one in fields]  # labels stand for it
    return body, marks_in(unnamed)


async def test_what_an_agent_writes_stays_text(gallery: Gallery) -> None:
    stage = await _on(gallery)
    owner = await gallery.at_terminal(OWNER)
    try:
        for number, (body, expected) in enumerate(_questions(stage.marks)):
            client = stage.marks.of(PAYLOADS[number % len(PAYLOADS)], 80)
            request = await stage.ask(client=client, **body)
            await stage.is_harmless(f"/requests/{request}", expected | marks_in(client))
            if number % 8 == 0:
                await stage.is_harmless("/", marks_in(client), "/?page=2")  # many are open by now
            if body.get("response_type") == "editable_text":
                await _answer(stage, owner, request, number)
    finally:
        await stage.witness.page.close()
    assert not stage.witness.wrong, "\n".join(stage.witness.wrong)


async def _answer(stage: Stage, owner: Reviewer, request: str, number: int) -> None:
    """What a person answers stays text too."""
    some = PAYLOADS[number % 40 : number % 40 + 10]
    answer, comment = "\n".join(stage.marks.all(some)), "\n".join(stage.marks.all(some, 190))
    await owner.answer(request, answer, comment=comment)
    await stage.is_harmless(f"/requests/{request}", marks_in(answer, comment))


async def test_names_of_people_loops_and_keys_stay_text(gallery: Gallery) -> None:
    stage = await _on(gallery)
    marks, shown = stage.marks, set[str]()
    try:
        for start in range(0, len(PAYLOADS), 3):
            one, two, three = (PAYLOADS[(start + more) % len(PAYLOADS)] for more in range(3))
            loop = {"name": marks.of(one, 100), "icon": marks.of(two, 100), "description": marks.of(three)}
            loop_id = (await gallery.call("POST", routes.LOOPS, loop))["loop"]["id"]
            shown |= marks_in(loop["name"], loop["description"])
            who = {"name": marks.of(two, 200), "email": f"q{start}'onfocus=ran()@example.com"}
            await gallery.call("POST", routes.MEMBERS.format(loop_id=loop_id), who)
            shown |= marks_in(who["name"])
            key = await gallery.on.key(name=marks.of(three, 200))
            gallery.key = gallery.on.endpoint(key)
            if start % 9 == 0:
                request = await gallery.ask("Who asks?", loop_id=loop_id)
                await stage.is_harmless(f"/requests/{request}", marks_in(loop["name"]))
        await stage.is_harmless("/people", shown)
        for path in sorted({place.address(gallery) for place in PLACES.values() if place.who == OWNER}):
            await stage.is_harmless(path, set())
    finally:
        await stage.witness.page.close()
    assert not stage.witness.wrong, "\n".join(stage.witness.wrong)
