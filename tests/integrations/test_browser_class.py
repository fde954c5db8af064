"""The browser class and its example page, in a real Chromium, against a service of another origin (compatibility 5)."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
import pytest
from playwright.async_api import Browser, Page

from hitl_mcp.contract import routes
from hitl_mcp.service.browser import MODULE, TYPES
from tests.browser import browser
from tests.programs import ROOT, address_of, gunicorn, listening
from tests.rest.backend import Backend, opened
from tests.world import WAIT, environment

pytestmark = pytest.mark.anyio
SOURCE = ROOT / "hitl_mcp" / "service" / "browser"


@dataclass
class Site:
    """The example's own server, whose origin the service lists, under 127.0.0.1 and not under localhost."""

    origin: str
    service: Backend
    loop: str

    @property
    def elsewhere(self) -> str:
        """The same pages under an origin that is not listed."""
        return self.origin.replace("127.0.0.1", "localhost")

    def token(self, **wanted: Any) -> str:
        """A fresh token."""
        return str(self.service.key.post(routes.TOKENS, wanted).data["access_token"])

    async def reviewed(self, request_id: str, answer: str) -> None:
        """A person answers."""
        reply = await anyio.to_thread.run_sync(partial(self.service.answer, request_id, answer))
        assert reply.status == 200, reply.body


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, no_settings: None) -> Generator[Site]:
    """The example and its service."""
    folder = tmp_path_factory.mktemp("browser")
    taken = listening()
    origin = address_of(taken)
    with opened("served on SQLite", folder, cors_origins=origin) as service:
        loop, address = service.key.new_loop(), str(service.http.base_url).rstrip("/")
        own = service.new_key(loops=[loop])  # so that the first loop is this one
        given = {"HITL_API_KEY": own.key or "", "HITL_BASE_URL": address}
        with gunicorn("examples.browser.app:app", environment(folder, **given), at=taken):
            yield Site(origin, service, loop)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for the module, in which its browser lives; the one of a package would outlast it here."""
    return "asyncio"


@pytest.fixture(scope="module")
async def chrome(anyio_backend: str) -> AsyncGenerator[Browser]:
    """The running browser."""
    async with browser() as started:
        yield started


@pytest.fixture
async def page(chrome: Browser, site: Site) -> AsyncGenerator[Page]:
    """A page of the listed origin."""
    context = await chrome.new_context()
    context.set_default_timeout(WAIT * 1000)
    opened_page = await context.new_page()
    await opened_page.goto(site.origin)
    yield opened_page
    await context.close()


async def in_page(page: Page, site: Site, script: str, *, token: str | None = None, here: bool = False) -> Any:
    """What a script with a `hitl` returns, or `{refused, status}` of its error.

    Args:
        here: take the module from its file, for a page that may not load it from the service.
    """
    address = str(site.service.http.base_url).rstrip("/")
    wrapped = """async ([source, token, address, loop]) => {
      const module = await import(source);
      const hitl = new module.HITLIntegration(token, address);
      try { return await (async () => { SCRIPT })() }
      catch (e) { return {refused: e.message, status: e.status, data: e.data, ours: e instanceof module.HITLError} }
    }""".replace("SCRIPT", script)
    text = (SOURCE / "hitl.js").read_text(encoding="utf-8")
    source = f"data:text/javascript;charset=utf-8,{_quoted(text)}" if here else f"{address}{MODULE}"
    return await page.evaluate(wrapped, [source, token or site.token(loop_ids=[site.loop]), address, site.loop])


def asked_in(site: Site) -> int:
    """How many requests the loop has."""
    return int(site.service.key.get(routes.LOOP_REQUESTS.format(loop_id=site.loop)).data["total"])


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text)


async def test_the_example_page_asks_and_shows_the_decision(page: Page, site: Site) -> None:
    for answer, shown in (("Approve", "Approved"), ("Reject", "Not approved: rejected")):
        await page.fill("#text", f"A new headline, {answer}")
        await page.click("button")
        await page.wait_for_function("document.querySelector('#said').textContent.startsWith('Waiting')")
        request_id = (re.findall(r"[0-9a-f]{24}", await page.inner_text("#said")))[0]
        asked = site.service.key.request(request_id).data["request"]
        assert (asked["request_text"], asked["context"]) == (
            f"A new headline, {answer}",
            {"content": {"page": "Ask a person"}},
        )
        await site.reviewed(request_id, answer)
        await page.wait_for_function("said => document.querySelector('#said').textContent === said", arg=shown)


async def test_no_key_reaches_the_page(page: Page, site: Site) -> None:
    seen: list[str] = []

    def keep(request: Any) -> None:
        seen.append(json.dumps(dict(request.headers)) + (request.post_data or ""))

    page.on("request", keep)
    await page.fill("#text", "Which credential is this?")
    await page.click("button")
    await page.wait_for_function("document.querySelector('#said').textContent.startsWith('Waiting')")
    assert any("hitl_token_" in one for one in seen)
    assert not any("hitl_live_" in one for one in seen)


async def test_the_documented_calls_and_what_they_resolve_to(page: Page, site: Site) -> None:
    made = await in_page(page, site, "return await hitl.submitForReview('A plain text', loop)")
    assert (made["status"], made["decision"]) == ("pending", None)
    assert (await in_page(page, site, f"return await hitl.checkStatus('{made['id']}')"))["status"] == "pending"
    await site.reviewed(made["id"], "Needs Changes")
    said = await in_page(page, site, f"return await hitl.waitFor('{made['id']}')")
    assert (said["id"], said["status"], said["decision"], said["source"]) == (
        made["id"], "completed", "needs_changes", "human",
    )  # fmt: skip


async def test_refusals_can_be_read_by_the_page(page: Page, site: Site) -> None:
    missing = await in_page(page, site, f"return await hitl.checkStatus('{'0' * 24}')")
    assert missing == {"refused": "Request not found", "status": 404, "data": None, "ours": True}
    other = await anyio.to_thread.run_sync(site.service.key.new_loop)
    refused = await in_page(page, site, f"return await hitl.submitForReview('x', '{other}')")
    assert (refused["status"], refused["ours"]) == (403, True)
    ended = await in_page(page, site, "return await hitl.checkStatus('x')", token="hitl_token_of_yesterday")
    assert (ended["refused"], ended["status"]) == ("This token is not known or has expired", 401)
    unfit = await in_page(page, site, "return await hitl.submitForReview('', loop)")
    assert (unfit["status"], unfit["refused"]) == (400, "Validation failed") and "content" in str(unfit["data"])


async def test_a_page_of_an_origin_that_is_not_listed_is_told_so(page: Page, site: Site) -> None:
    await page.goto(site.elsewhere)
    before = asked_in(site)
    said = await in_page(page, site, "return await hitl.checkStatus('x')", here=True)
    assert said["status"] == 0
    assert f"HITL_CORS_ORIGINS of the service lists {site.elsewhere}" in said["refused"]
    with pytest.raises(Exception, match="Failed to fetch dynamically imported module"):
        await in_page(page, site, "return 1")
    assert asked_in(site) == before


async def test_a_fresh_token_is_got_when_one_ended_and_giving_up_is_possible(page: Page, site: Site) -> None:
    made = await in_page(page, site, "return await hitl.submitForReview('A text', loop)")
    good = site.token()
    said = await in_page(
        page, site,
        "let n = 0; const tokens = ['hitl_token_ended', token];"
        "const own = new module.HITLIntegration(() => tokens[n++], address);"
        f"return [(await own.checkStatus('{made['id']}')).status, n]",
        token=good,
    )  # fmt: skip
    assert said == ["pending", 2]
    gone = await in_page(page, site, f"return await hitl.waitFor('{made['id']}', {{signal: AbortSignal.timeout(50)}})")
    assert "timed out" in gone["refused"] and gone["ours"] is False
    assert site.service.key.request(made["id"]).data["status"] == "pending", "giving up withdraws nothing"


def test_the_module_is_served_with_its_types(site: Site) -> None:
    for path, name in ((MODULE, "hitl.js"), (TYPES, "hitl_types.ts")):
        reply = site.service.http.get(path, headers={"Origin": site.origin})
        assert (reply.status_code, reply.content) == (200, (SOURCE / name).read_bytes())
        assert reply.headers["content-type"].startswith("text/javascript")
        assert reply.headers["access-control-allow-origin"] == site.origin
        again = site.service.http.get(path, headers={"If-None-Match": reply.headers["etag"]})
        assert again.status_code == 304


def test_the_types_name_what_the_module_exports() -> None:
    code, types = ((SOURCE / name).read_text(encoding="utf-8") for name in ("hitl.js", "hitl_types.ts"))
    exported = set(re.findall(r"^export (?:class|const) (\w+)", code, re.MULTILINE))
    assert exported == set(re.findall(r"^export (?:class|const) (\w+)", types, re.MULTILINE))
    methods = set(re.findall(r"^  (?:async )?([a-z]\w+)\(", code, re.MULTILINE)) - {"constructor"}
    declared = set(re.findall(r"^  ([a-z]\w+)\(", types, re.MULTILINE)) - {"constructor"}
    assert methods == declared == {"submitForReview", "checkStatus", "waitFor"}
    assert "import" not in re.findall(r"^\w+", code, re.MULTILINE), "no dependency"
