"""`hitl-mcp serve` behind real TLS proxies, configured word by word as docs/team.md says (H37)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from mcp import Client
from playwright.async_api import Browser

from hitl_mcp.contract import routes
from hitl_mcp.sdk.local import ask, find
from tests.browser import anyio_backend as anyio_backend
from tests.browser import chrome as chrome
from tests.mcp_http import over_http
from tests.served.machine import machine
from tests.served.proxies import Kind, needs, proxy
from tests.served.team import free_port
from tests.tools.test_asking import told
from tests.world import WAIT

pytestmark = [pytest.mark.anyio, pytest.mark.nightly]

every_proxy = pytest.mark.parametrize("kind", [pytest.param(one, marks=needs(one)) for one in ("caddy", "nginx")])
GUESSES = 20
"""Codes of invitations that may be tried from one address before one has to wait."""


@dataclass
class Asked:
    """A call of an agent that waits for a person.

    Attributes:
        under_way: set by the first progress that reaches the agent.
    """

    under_way: anyio.Event = field(default_factory=anyio.Event)
    outcome: str = ""

    async def approval(self, agent: Client, question: str) -> None:
        """Ask, and keep what came of it."""
        arguments = {"action": question, "wait_seconds": 60}
        called = await agent.call_tool("request_human_approval", arguments, progress_callback=self._heard)
        self.outcome = str(told(called)["outcome"])

    async def _heard(self, progress: float, total: float | None, message: str | None) -> None:
        self.under_way.set()


@every_proxy
async def test_people_and_agents_meet_through_the_proxy_and_nothing_is_held_back(
    kind: Kind, folder: Path, tmp_path: Path, chrome: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"https://localhost:{free_port()}"
    async with (
        machine(folder, HITL_PUBLIC_URL=url, HITL_TRUSTED_PROXIES="127.0.0.1") as on,
        proxy(kind, tmp_path / "proxy", url, on.port) as between,
    ):
        on.more["SSL_CERT_FILE"] = str(between.authority)
        monkeypatch.setenv("SSL_CERT_FILE", str(between.authority))
        assert f"ok    address: {url} answers" in await on.run("doctor")
        assert f"{url}/sign-in" in await on.run("people", "add", "Ada Lovelace", "ada@example.com", "--owner")
        found = await find(folder)
        assert found is not None
        made = await ask(found.console(), "POST", routes.SIGN_INS, {"typed": True, "email": "ada@example.com"})
        context = await chrome.new_context(ignore_https_errors=True)
        context.set_default_timeout(WAIT * 1000)
        page = await context.new_page()
        await page.goto(made["address"])
        await page.fill("#code", made["code"])
        await page.locator("form:has(#code)").get_by_role("button").click()
        await page.wait_for_url(f"{url}/")
        cookie = (await context.cookies())[0]
        assert cookie.get("name") == "__Host-hitl_session" and cookie.get("secure") and cookie.get("httpOnly")
        await page.wait_for_selector("#live[data-state=live]")

        for transport in ("http", "sse"):
            question, asked = f"Deploy over {transport}?", Asked()
            async with (
                between.client(await on.key()) as http,
                over_http(http, transport, "auto") as agent,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(asked.approval, agent, question)
                with anyio.fail_after(WAIT * 2):
                    await asked.under_way.wait()  # the call's own stream, while the call lasts
                await page.get_by_text(question).click()  # the page was told without asking again
                await page.wait_for_selector("#live[data-state=live]")
                async with page.expect_navigation():
                    await page.get_by_role("button", name="Approve", exact=True).click()
            assert asked.outcome == "approved"
            await page.goto(f"{url}/")
            await page.wait_for_selector("#live[data-state=live]")
        await context.close()


@every_proxy
async def test_limits_and_the_log_know_the_caller_behind_the_proxy(kind: Kind, folder: Path, tmp_path: Path) -> None:
    url = f"https://localhost:{free_port()}"
    async with (
        machine(folder, HITL_PUBLIC_URL=url, HITL_TRUSTED_PROXIES="127.0.0.1") as on,
        proxy(kind, tmp_path / "proxy", url, on.port) as between,
        between.client(address="127.0.0.2") as guesser,
        between.client(address="127.0.0.3") as other,
    ):
        for number in range(GUESSES):
            assert (await guesser.get(f"/join/AAAA{number:04}")).status_code == 404
        assert (await guesser.get("/join/BBBB0000")).status_code == 429
        claimed = {"X-Forwarded-For": "127.0.0.9", "X-Real-IP": "127.0.0.9", "Forwarded": "for=127.0.0.9"}
        assert (await guesser.get("/join/BBBB0000", headers=claimed)).status_code == 429
        assert (await other.get("/join/BBBB0000")).status_code == 404
        with anyio.fail_after(WAIT):
            while "127.0.0.3" not in _callers(on.log):  # a line is written when its answer is already under way
                await anyio.sleep(0.05)
        assert _callers(on.log) == {"127.0.0.2", "127.0.0.3"}


def _callers(log: Path) -> set[str]:
    """Who asked for invitations, as the log says."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return {line["client"] for line in lines if line.get("path", "").startswith("/join")}
