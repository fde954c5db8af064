"""The inbox on a phone: signed in by a picture, and behind a real TLS proxy (H37)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from playwright.async_api import Browser, Page

from hitl_mcp.contract import routes
from hitl_mcp.sdk.local import ask
from tests.inbox.visit import visiting
from tests.served.team import free_port
from tests.world import WAIT, world

pytestmark = pytest.mark.anyio

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


@asynccontextmanager
async def phone(chrome: Browser, **more: Any) -> AsyncGenerator[Page]:
    """A phone's browser."""
    context = await chrome.new_context(**PHONE, **more)
    context.set_default_timeout(WAIT * 1000)
    yield await context.new_page()
    await context.close()


async def test_a_phone_is_signed_in_by_a_picture_and_a_button(folder: Path, chrome: Browser) -> None:
    port = free_port()
    origin = f"http://here.localhost:{port}"
    async with world(folder, port=port, public_url=origin) as here, visiting(here.found, chrome) as person:
        await person.page.goto(f"{origin}/reach")
        await person.page.get_by_role("button", name="Sign in on a phone").click()
        code = await person.page.inner_text("#code")
        assert await person.page.locator(".qr svg path").count() >= 1
        asked: list[str] = []
        async with phone(chrome) as page:
            page.on("request", lambda request: asked.append(request.url))
            await page.goto(f"{origin}/sign-in/phone#{code}")
            assert await page.input_value("#code") == code and code not in page.url
            assert await page.context.cookies() == [], "looking at it signs nobody in"
            await page.get_by_role("button", name="Sign in").click()
            await page.wait_for_url(f"{origin}/")
            assert not any(code in url for url in asked), "no address that travels holds the code"
        async with phone(chrome) as page:
            await page.goto(f"{origin}/sign-in/phone#{code}")
            await page.get_by_role("button", name="Sign in").click()
            await page.get_by_text("used up, expired or wrong").wait_for()


async def test_without_a_public_address_the_page_says_what_to_do(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, visiting(here.found, chrome) as person:
        await person.page.goto(f"{person.origin}/reach")
        await person.page.get_by_text("set HITL_PUBLIC_URL to it").wait_for()
        assert await person.page.get_by_role("button", name="Sign in on a phone").count() == 0


@asynccontextmanager
async def tls_proxy(folder: Path, url: str, port: int) -> AsyncGenerator[None]:
    """A real Caddy with a certificate of its own, in front of a service on loopback."""
    folder.mkdir()
    options = f"admin off\nauto_https disable_redirects\nskip_install_trust\nstorage file_system {folder}/kept"
    (folder / "Caddyfile").write_text(
        f"{{\n{options}\n}}\n{url} {{\ntls internal\nreverse_proxy 127.0.0.1:{port}\n}}\n"
    )
    with (folder / "log").open("wb") as log:
        command = ["caddy", "run", "--config", str(folder / "Caddyfile")]
        proxy = subprocess.Popen(command, stdout=log, stderr=log, env={"HOME": str(folder), "PATH": "/usr/bin:/bin"})
    try:
        with anyio.fail_after(WAIT):
            async with httpx2.AsyncClient(verify=False, timeout=WAIT) as client:  # its own certificate
                while True:
                    try:
                        address = url.replace("phone.localhost", "127.0.0.1")
                        await client.get(f"{address}/health", extensions={"sni_hostname": "phone.localhost"})
                        break
                    except httpx2.TransportError:
                        await anyio.sleep(0.1)
        yield
    finally:
        proxy.terminate()
        proxy.wait(WAIT)


@pytest.mark.nightly
@pytest.mark.skipif(shutil.which("caddy") is None, reason="needs Caddy: apt-get install caddy")
async def test_behind_a_tls_proxy_a_phone_signs_in_and_decides(folder: Path, tmp_path: Path, chrome: Browser) -> None:
    url, port = f"https://phone.localhost:{free_port()}", free_port()
    async with (
        world(folder, port=port, public_url=url) as here,
        tls_proxy(tmp_path / "proxy", url, port),
        phone(chrome, ignore_https_errors=True) as page,
    ):
        made = await ask(here.found.console(), "POST", routes.SIGN_INS, {"typed": True})
        assert made["address"] == f"{url}/sign-in"
        await page.goto(made["address"])
        await page.fill("#code", made["code"])
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{url}/")
        cookie = (await page.context.cookies())[0]
        assert cookie.get("name") == "__Host-hitl_session" and cookie.get("secure") and cookie.get("httpOnly")
        created = await here.ask_approval("From my phone?")
        await page.goto(f"{url}/requests/{created.request_id}")
        await page.wait_for_selector("#live[data-state=live]")
        async with page.expect_navigation():
            await page.get_by_role("button", name="Approve", exact=True).click()
        assert (await here.agent.get_request(created.request_id)).decision == "approved"
