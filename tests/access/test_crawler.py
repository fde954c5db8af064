"""Looking changes nothing: every link and every GET route, fetched as reviewer, agent and stranger.

And what does change something is refused without our form's token, and from a page that is not ours.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest

from hitl_mcp.contract import routes
from hitl_mcp.service.inbox import create_inbox
from hitl_mcp.service.web.app import create_api
from tests.access.gallery import NEWCOMER, OWNER, REVIEWER, STRANGER, VIEWER, Gallery
from tests.test_self_approval import walk

pytestmark = pytest.mark.anyio

STREAMS = {"/live", routes.EVENTS_STREAM}
"""They never end; each is opened and closed."""
UNMOVED = {"sessions": ("seen_at",), "facts": ("value",)}
"""When somebody was here last, and the counter of commits."""
SKIPPED = {"rate_usage", "guesses", "sqlite_sequence", "alembic_version"}
SECRET = "The owner's own question"
"""Stands in a loop that only the owner is in."""
MAY_POST_WITHOUT_A_TOKEN = {"/sign-in", "/sign-in/mail", "/open-again"}
"""Nobody is signed in there yet: the code is the proof, and the origin is checked."""

CASES = {
    "without a token": {},
    "from elsewhere": {"Origin": "https://evil.example"},
    "from nowhere": {"Origin": "null"},
    "from another port": {"Origin": "http://team.localhost:1"},
}


class Page(HTMLParser):
    """The links and forms of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.posts: list[str] = []
        self._action = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where an element leads."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._action = given.get("action", "")
            where = self.posts if given.get("method", "get").lower() == "post" else self.links
            where.append(self._action)
        if "formaction" in given:
            self.posts.append(given["formaction"])
        if tag != "form":
            self.links += [given[name] for name in ("href", "src", "data-url") if given.get(name)]


def contents(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything the database holds but what looking may move, read beside the running service."""
    with closing(sqlite3.connect(f"{(folder / 'hitl.db').as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: sorted(
                [
                    tuple(str(row[key]) for key in row.keys() if key not in UNMOVED.get(name, ()))  # noqa: SIM118
                    for row in connection.execute(f'SELECT * FROM "{name}"')
                ]
            )
            for name in names
            if name not in SKIPPED
        }


def differences(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> list[str]:
    """Which rows came, went or changed."""
    return [f"{name}: {row}" for name in before for row in set(before[name]) ^ set(after[name])]


def _values(gallery: Gallery, request: str) -> dict[str, str]:
    return {
        "request_id": gallery.asked[request], "loop_id": gallery.loop_id, "code": gallery.held["code"],
        "user_id": gallery.people[REVIEWER].user_id, "key_id": "a" * 24, "template": "content_review",
        "digest": "a" * 64, "action": "decision", "name": "inbox.css", "path": "x",
        "webhook_id": gallery.held["webhook_id"],
    }  # fmt: skip


def filled(path: str, values: dict[str, str]) -> str:
    """A route's address with these values; what has none gets an id that nobody has."""
    return re.sub(r"\{(\w+)(:\w+)?\}", lambda found: values.get(found[1], "a" * 24), path)


async def _fetch(client: httpx2.AsyncClient, method: str, path: str, **more: Any) -> httpx2.Response:
    async with client.stream(method, path, **more) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            await answer.aread()
        return answer


async def _crawl(gallery: Gallery, who: str) -> dict[str, httpx2.Response]:
    """Follow every link of every page from the first, and every route, by GET and HEAD."""
    wanted = ["/", "/sign-in", f"/?loop={gallery.own_loop}", f"/history?loop={gallery.own_loop}", "/?q=own+question",
              "/history?q=own+question", "/history?who=anyone", f"/similar/{gallery.held['digest']}"]  # fmt: skip
    for name in ("approval", "approve", "words", "elsewhere", "claimed by another"):
        values = _values(gallery, name)
        for app in (create_inbox(gallery.on.services), create_api(gallery.on.services)):
            wanted += [filled(path, values) for method, path in walk(app) if method == "GET"]
    found: dict[str, httpx2.Response] = {}
    async with gallery.http(who) as client:
        while wanted:
            path = wanted.pop()
            if path in found:
                continue
            params = {"params": {"timeout": 0}} if "/wait" in path or path == routes.EVENTS else {}
            answer = found[path] = await _fetch(client, "GET", path, **params)
            if urlsplit(path).path not in STREAMS:
                head = await _fetch(client, "HEAD", path, **params)
                assert head.status_code in (answer.status_code, 405), f"HEAD {path}: {head.status_code}"
            if answer.headers.get("content-type", "").startswith("text/html"):
                here = Page(answer.text)
                for link in here.links:
                    to = urlsplit(urljoin(gallery.origin + path, link))
                    if f"{to.scheme}://{to.netloc}" == gallery.origin:
                        wanted.append(to.path + (f"?{to.query}" if to.query else ""))
    return found


@pytest.mark.parametrize("who", [OWNER, REVIEWER, VIEWER, NEWCOMER, STRANGER])
async def test_following_every_link_changes_nothing(gallery: Gallery, folder_of: Path, who: str) -> None:
    before = contents(folder_of)
    found = await _crawl(gallery, who)
    changed = differences(before, contents(folder_of))
    assert not changed, "\n".join(changed[:20])
    assert len(found) > 30
    faults = [f"{path}: {answer.status_code}" for path, answer in found.items() if answer.status_code >= 500]
    assert not faults, faults
    leaks = [path for path, answer in found.items()
             if who != OWNER and answer.is_stream_consumed and SECRET in answer.text]  # fmt: skip
    assert not leaks, f"{who} reads what only the owner may: {leaks}"
    if who in (STRANGER, NEWCOMER):
        told = [path for path, answer in found.items()
                if answer.is_stream_consumed and "Move 40 EUR" in answer.text]  # fmt: skip
        assert not told, f"{who} reads questions: {told}"


async def test_an_agents_gets_change_nothing_and_show_nobody_elses(gallery: Gallery, folder_of: Path) -> None:
    other = await gallery.on.key(name="another", loop_ids=[gallery.own_loop])
    before = contents(folder_of)
    for key in (gallery.key.key, other):
        headers = {"Authorization": f"Bearer {key}", "Cookie": f"hitl_session={key}"}
        async with gallery.http(**headers) as client:
            for name in ("approval", "approve", "words", "elsewhere"):
                values = _values(gallery, name)
                for app in (create_inbox(gallery.on.services), create_api(gallery.on.services)):
                    for method, path in walk(app):
                        if method != "GET":
                            continue
                        url = filled(path, values)
                        for verb in ("GET", "HEAD") if url not in STREAMS else ("GET",):
                            answer = await _fetch(client, verb, url, params={"timeout": 0})
                            assert answer.status_code < 500, f"{verb} {url}: {answer.status_code}"
                            if key == other and url not in STREAMS:
                                assert "Move 40 EUR" not in answer.text, f"{url} shows another key's request"
    changed = differences(before, contents(folder_of))
    assert not changed, "\n".join(changed[:20])


async def test_forms_are_refused_without_their_token_and_from_elsewhere(gallery: Gallery, folder_of: Path) -> None:
    posts = {path for method, path in walk(create_inbox(gallery.on.services)) if method not in ("GET", "HEAD")}
    assert "/requests/{request_id}/decision" in posts and len(posts) > 8
    values = _values(gallery, "approval")
    body = {"revision": "1", "answer": "approve", "comment": "x", "loop": gallery.loop_id, "name": "M", "q": "x",
            "user": gallery.people[NEWCOMER].user_id, "email": "m@example.com",
            "address": "json://evil.example"}  # fmt: skip
    before = contents(folder_of)
    wrong: list[str] = []
    for case, headers in CASES.items():
        for who in (OWNER, STRANGER):
            async with gallery.http(who, **headers) as client:
                for path in sorted(posts):
                    url = filled(path, values)
                    if not headers and (path in MAY_POST_WITHOUT_A_TOKEN or path.startswith("/join/")):
                        continue
                    status = (await client.post(url, data=body)).status_code
                    if status not in ((403,) if headers else (400, 401, 403, 404, 422, 429)):
                        wrong.append(f"POST {url} {case} by {who}: {status}")
    wrong += differences(before, contents(folder_of))
    assert not wrong, "\n".join(wrong[:30])
