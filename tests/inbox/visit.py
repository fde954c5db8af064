"""A person at the inbox in a real browser, beside the agent and the terminal of a `World`."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from playwright.async_api import Browser, BrowserContext, Page, Response

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import NewRequest, ReviewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.sdk.local import Found, ask
from tests.world import WAIT, World

SHOWN_LIVE = "#live[data-state=live]"


@dataclass
class Visit:
    """A browser of its own with one page, signed in or not."""

    found: Found
    context: BrowserContext
    page: Page
    origin: str

    @classmethod
    async def of(cls, found: Found, context: BrowserContext) -> Visit:
        """A new page of a browser for the inbox of a service."""
        return cls(found, context, await context.new_page(), await origin_of(found))

    @property
    def host(self) -> str:
        """The inbox's host with its port."""
        return self.origin.removeprefix("http://")

    async def enter(self) -> None:
        """Be signed in, the quick way: the form's request without its page."""
        async with plain_http(self) as client:
            made = await client.post("/sign-in", data={"code": await new_code(self.found)}, headers={"Origin": "null"})
        session = str(made.cookies.get("hitl_session"))
        await self.context.add_cookies(
            [{"name": "hitl_session", "value": session, "url": self.origin, "httpOnly": True, "sameSite": "Strict"}]
        )

    async def sign_in(self, *, typed: bool = False) -> None:
        """Through the page that takes a code."""
        await self.page.goto(f"{self.origin}/sign-in")
        await self.page.fill("#code", await new_code(self.found, typed=typed))
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.wait_for_url(f"{self.origin}/")

    async def list(self) -> Response:
        """Open the list."""
        return answered(await self.page.goto(f"{self.origin}/"))

    async def open(self, request: ReviewRequest) -> Response:
        """Open one request."""
        return answered(await self.page.goto(f"{self.origin}/requests/{request.id}"))

    async def send(self, button: str, *, then: int = 200) -> str:
        """Press a button that sends the page's form; the words of the page that follows.

        Args:
            then: the status of that page.
        """
        async with self.page.expect_navigation() as going:
            await self.page.get_by_role("button", name=button, exact=True).click()
        response = answered(await going.value)
        assert response.status == then, await self.words()
        return await self.words()

    async def words(self) -> str:
        """What the page says."""
        return await self.page.inner_text("main")

    async def session(self) -> str:
        """The value of the session's cookie; empty when there is none."""
        cookies = await self.context.cookies(self.origin)
        return next((str(cookie.get("value")) for cookie in cookies if cookie.get("name") == "hitl_session"), "")

    async def is_live(self) -> None:
        """Wait until the page says that it is live."""
        await self.page.wait_for_selector(SHOWN_LIVE)


def answered(response: Response | None) -> Response:
    """A navigation always has an answer here."""
    assert response is not None
    return response


async def new_code(found: Found, *, typed: bool = False) -> str:
    """A one-time code, as the terminal gets one."""
    return str((await ask(found.console(), "POST", routes.SIGN_INS, {"typed": typed}))["code"])


async def origin_of(found: Found) -> str:
    """Where the inbox is. Only the machine's user is told."""
    made = await ask(found.console(), "POST", routes.SIGN_INS, {})
    return str(made["address"]).removesuffix("/sign-in")


@asynccontextmanager
async def visiting(found: Found, chrome: Browser, *, signed_in: bool = True, **options: Any) -> AsyncGenerator[Visit]:
    """A person with a fresh browser profile.

    Args:
        options: of Playwright's `new_context`.
    """
    context = await chrome.new_context(**options)
    context.set_default_timeout(WAIT * 1000)
    try:
        visit = await Visit.of(found, context)
        if signed_in:
            await visit.enter()
        yield visit
    finally:
        await context.close()


async def ask_for(world: World, request_text: str = "May I?", **fields: Any) -> ReviewRequest:
    """A question, or with no response type an approval, of the world's agent."""
    if "response_type" not in fields:
        fields["kind"] = Kind.APPROVAL
    new = NewRequest.model_validate({"request_text": request_text, **fields})
    return (await world.agent.create_request(world.loop_id, new)).request


async def now(world: World, request: ReviewRequest) -> ReviewRequest:
    """The request as it stands."""
    return await world.agent.get_request(request.id)


async def change(world: World, request: ReviewRequest, **fields: Any) -> None:
    """The agent changes its question."""
    await world.raw("PATCH", routes.REQUEST.format(request_id=request.id), fields)


@asynccontextmanager
async def plain_http(visit: Visit) -> AsyncGenerator[httpx2.AsyncClient]:
    """A program on this machine that talks to the inbox by itself and may send any header."""
    headers = {"Host": visit.host}
    async with httpx2.AsyncClient(base_url=visit.found.address, headers=headers, timeout=WAIT) as client:
        yield client


TABLES = ("requests", "events", "once_keys", "sign_ins", "sessions", "users", "loops", "api_keys", "facts")


def contents(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything the database holds, read beside the running service."""
    with closing(sqlite3.connect(f"{(folder / 'hitl.db').as_uri()}?mode=ro", uri=True)) as connection:
        return {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in TABLES}


@asynccontextmanager
async def browsing(found: Found, **headers: str) -> AsyncGenerator[httpx2.AsyncClient]:
    """A signed-in person without a browser: pages come as text, and nothing follows by itself."""
    origin = await origin_of(found)
    known = {"Host": origin.split("://")[1], "Origin": origin, **headers}
    async with httpx2.AsyncClient(base_url=found.address, headers=known, timeout=WAIT) as client:
        made = await client.post("/sign-in", data={"code": await new_code(found)})
        client.headers["Cookie"] = f"hitl_session={made.cookies['hitl_session']}"
        yield client


def token_in(page: str) -> str:
    """What a form of this page carries."""
    found = re.search(r'name="token" value="([0-9a-f]+)"', page)
    assert found is not None, page
    return found[1]
