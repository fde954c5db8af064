"""How a person is reached: the page, what it refuses, and messages that really arrive by mail and in a browser."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import http_ece  # pyright: ignore[reportMissingTypeStubs]
import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.async_api import Browser
from py_vapid import Vapid02

from hitl_mcp.contract import routes
from hitl_mcp.sdk.local import ask
from tests.inbox.visit import Visit, plain_http, visiting
from tests.receivers import Receiver, mail_server, receiving
from tests.served.team import Team, team
from tests.world import WAIT, World, eventually, world

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncGenerator[World]:
    """One service of somebody's own machine."""
    async with world(tmp_path_factory.mktemp("reach") / "data", outgoing_allow="127.0.0.1") as running:
        yield running


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncGenerator[Team]:
    """One team's server."""
    async with team(tmp_path_factory.mktemp("team") / "data") as running:
        yield running


async def test_a_channel_is_added_tried_turned_off_and_removed(here: World, chrome: Browser) -> None:
    with receiving() as hook:
        async with visiting(here.found, chrome) as person:
            page = person.page
            await page.goto(f"{person.origin}/reach")
            await page.get_by_label("Address").fill(hook.channel)
            await page.get_by_label("Name").fill("Build chat")
            await page.get_by_role("button", name="Add", exact=True).click()
            line = page.locator(".channels li")
            await line.wait_for()
            assert f"Build chat (JSON json://127.0.0.1:{hook.port}/…)" in await line.inner_text()
            assert "s3cret" not in await page.content(), "its secret is never shown again"
            await line.get_by_role("button", name="Send me a test").click()
            await line.get_by_text("A message last arrived").wait_for()
            assert hook.posts[0].said["title"] == "Test: you are reached here"
            hook.status = 403
            await line.get_by_role("button", name="Send me a test").click()
            await line.get_by_text("The last message did not arrive").wait_for()
            assert "403" in await line.inner_text() and "s3cret" not in await page.content()
            hook.status = 200
            await line.get_by_role("button", name="Turn off").click()
            await line.get_by_role("button", name="Turn on").wait_for()
            assert (await here.ask_approval()).notifications_sent == 0
            await line.get_by_role("button", name="Remove").click()
            await page.get_by_text("None yet.").wait_for()
            await page.get_by_label("Address").fill("nonsense://x")
            await page.get_by_role("button", name="Add", exact=True).click()
            await page.get_by_text("This is no address that Apprise knows").wait_for()


async def test_what_a_person_wants_is_kept(here: World, chrome: Browser) -> None:
    async with visiting(here.found, chrome, timezone_id="Asia/Kolkata") as person:
        page = person.page
        await page.goto(f"{person.origin}/reach")
        zone = page.get_by_label("Your time zone")
        assert await zone.input_value() == "Asia/Calcutta", "the browser's own is offered"
        await zone.select_option("Asia/Kolkata")
        await page.get_by_label("From").fill("22:30")
        await page.get_by_role("button", name="Save").click()
        await page.get_by_text("Give both the beginning and the end of your quiet hours, or neither").wait_for()
        await page.get_by_label("From").fill("22:30")
        await page.get_by_label("Until").fill("06:15")
        await page.get_by_label("Told of requests in Default").select_option("high")
        await page.get_by_role("button", name="Save").click()
        await page.wait_for_url(f"{person.origin}/reach#when")
        assert await page.get_by_label("Until").input_value() == "06:15"
        assert await page.get_by_label("Told of requests in Default").input_value() == "high"
        assert await page.get_by_text(re.compile("There it is now .* IST")).count() == 1
        await page.get_by_label("From").fill("")
        await page.get_by_label("Until").fill("")
        await page.get_by_label("Told of requests in Default").select_option("low")
        await page.get_by_role("button", name="Save").click()
        await page.wait_for_url(f"{person.origin}/reach#when")


async def test_mail_arrives_with_a_link_that_shows(here: World) -> None:
    async with mail_server() as mailbox:
        address = f"mailto://127.0.0.1:{mailbox.port}?from=hitl@example.com&to=ada@example.com"
        made = await ask(here.found.console(), "POST", routes.CHANNELS, {"address": address})
        created = await here.ask_approval("Send \u202ethe invoice")
        assert created.notifications_sent == 1

        async def arrived() -> bool:
            return len(mailbox.messages) == 1

        await eventually(arrived)
        body = mailbox.messages[0].get_body(("plain", "html"))
        assert body is not None and mailbox.messages[0]["Subject"] == "A request waits for you"
        text = body.get_content()
        assert f"/requests/{created.request_id}" in text and "Send the invoice" in text and "\u202e" not in text
        await ask(here.found.console(), "DELETE", routes.CHANNEL.format(channel_id=made["id"]))


class Browsers:
    """A browser's half of Web Push: its keys, and what it reads."""

    def __init__(self, push_service: Receiver) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)
        self._service = push_service

    @property
    def subscription(self) -> str:
        """What it gives the page."""
        point = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        keys = {"p256dh": _text(point), "auth": _text(self._auth)}
        return json.dumps({"endpoint": f"http://127.0.0.1:{self._service.port}/push/abc", "keys": keys})

    def read(self, body: bytes) -> dict[str, Any]:
        """What its service worker is given."""
        plain = http_ece.decrypt(body, private_key=self._key, auth_secret=self._auth, version="aes128gcm")  # pyright: ignore
        return dict(json.loads(plain))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def subscribed(person: Visit, browser: Browsers) -> httpx2.Response:
    """The page's form as its script sends it."""
    token = await person.page.locator("#push-form [name=token]").get_attribute("value")
    headers = {"Origin": person.origin, "Cookie": f"hitl_session={await person.session()}"}
    async with plain_http(person) as client:
        given = {"token": token, "subscription": browser.subscription}
        return await client.post("/reach/browser", data=given, headers=headers)


async def test_a_browser_is_pushed_to_in_secret_and_forgotten_when_it_is_gone(here: World, chrome: Browser) -> None:
    with receiving() as service:
        service.status = 201
        browser = Browsers(service)
        async with visiting(here.found, chrome) as person:
            await person.page.goto(f"{person.origin}/reach")
            key = await person.page.locator("#push-state").get_attribute("data-key")
            assert (await subscribed(person, browser)).status_code == 303
            created = await here.ask_approval("Wire 5,000 to ACME")
            assert created.notifications_sent == 1
            post = (await service.next(1))[0]
            said = browser.read(post.body)
            assert said["path"] == f"/requests/{created.request_id}" and said["title"] == "A request waits for you"
            assert "ACME" not in str(said) and said["open"] >= 1
            assert post.headers["topic"] == created.request_id and post.headers["ttl"] == "86400"
            assert key is not None and f"k={key}" in post.headers["authorization"]
            assert Vapid02.verify(post.headers["authorization"])  # pyright: ignore
            service.status = 410
            await here.ask_approval()

            async def gone() -> bool:
                return not (await ask(here.found.console(), "GET", routes.CHANNELS))["channels"]

            await eventually(gone)


async def test_the_service_worker_shows_what_is_pushed_and_the_inbox_can_be_installed(
    here: World, chrome: Browser
) -> None:
    async with visiting(here.found, chrome) as person:
        page, context = person.page, person.context
        await context.grant_permissions(["notifications"], origin=person.origin)
        registered: list[dict[str, Any]] = []
        cdp: Any = await context.new_cdp_session(page)

        def on_news(told: dict[str, Any]) -> None:
            registered.extend(told["registrations"])

        cdp.on("ServiceWorker.workerRegistrationUpdated", on_news)
        await cdp.send("ServiceWorker.enable")
        await page.goto(f"{person.origin}/reach")
        await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        assert "can tell you of requests" in await page.inner_text("#push-state")

        async def known() -> bool:
            return bool(registered)

        await eventually(known)
        message = {"title": "A request waits for you", "body": "Loop: Default", "path": "https://evil.example/",
                   "tag": "t", "open": 3}  # fmt: skip
        to = {"origin": person.origin, "registrationId": registered[-1]["registrationId"]}
        shown = "navigator.serviceWorker.ready.then(r => r.getNotifications()).then(n => n.map(x => [x.title, x.data]))"

        async def there() -> Any:  # a worker that just stops hears nothing; the same tag replaces what is shown
            await cdp.send("ServiceWorker.deliverPushMessage", to | {"data": json.dumps(message)})
            return await page.evaluate(shown)

        assert await eventually(there) == [["A request waits for you", {"path": "/"}]], "it leads nowhere else"
        manifest = await cdp.send("Page.getAppManifest")
        assert not manifest["errors"] and json.loads(manifest["data"])["display"] == "standalone"
        problems = (await cdp.send("Page.getInstallabilityErrors"))["installabilityErrors"]
        assert [one for one in problems if one["errorId"] != "in-incognito"] == []
        async with plain_http(person) as client:
            worker = await client.get("/sw.js")
            assert worker.headers["content-type"].startswith("text/javascript")
            assert "worker-src 'self'" in worker.headers["content-security-policy"]


async def signed_in(server: Team, chrome: Browser) -> Any:
    """The owner of a team's server at its page."""
    context = await chrome.new_context()
    context.set_default_timeout(WAIT * 1000)
    page = await context.new_page()
    await page.goto(f"{server.origin}/sign-in")
    await page.fill("#code", await server.code())
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{server.origin}/")
    return page


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("json://127.0.0.1:1/x", "leads to a private address"),
        ("jsons://169.254.169.254/latest", "leads to a private address"),
        ("mailtos://u:p@example.com?smtp=10.0.0.5", "leads to a private address"),
        ("gotifys://[::1]/token-of-an-app", "leads to a private address"),
        ("syslog://", "works on one's own machine only"),
        ("discord://123456789/abcdefghijk?template=/etc/passwd", "The parameter template is not taken"),
        ("jsons://93.184.216.34/x?verify=no", "The parameter verify is not taken"),
        ("workflows://93.184.216.34/aa/bb/?x=1;verify=no", "The parameter verify is not taken"),
        ("workflows://93.184.216.34/aa/bb/?%20Verify=no", "The parameter verify is not taken"),
        ("workflows://93.184.216.34/aa/bb/#?verify=no", "The parameter verify is not taken"),
        ("matrixs://u:p@93.184.216.34/room", "add the parameter discovery=no"),
        ("mailtos://u:p@example.com?smtp=93.184.216.34&mode=insecure", "This address sends without TLS"),
        ("json://93.184.216.34/x", "This address sends without TLS. Use jsons://"),
    ],
)
async def test_on_a_teams_server_an_address_cannot_be_turned_against_it(server: Team, address: str, why: str) -> None:
    from hitl_mcp.errors import BadRequest
    from hitl_mcp.service.notify.sender import MessageSender

    with pytest.raises(BadRequest, match=why.replace("?", r"\?")):
        await MessageSender(server.services).add("0" * 24, address, "", shows_text=False)


async def test_a_stranger_and_a_preview_learn_nothing_of_a_request(server: Team, chrome: Browser) -> None:
    page = await signed_in(server, chrome)
    await page.goto(f"{server.origin}/reach")
    assert await page.get_by_text("Nothing can be decided from it").count() == 1
    headers = {"Host": server.origin.removeprefix("http://")}
    address = f"http://127.0.0.1:{server.services.keys.port}"
    async with httpx2.AsyncClient(base_url=address, timeout=WAIT, headers=headers) as stranger:
        there, nowhere = [await stranger.get(f"/requests/{'a' * 24}"), await stranger.get(f"/requests/{'b' * 24}")]
        assert there.status_code == nowhere.status_code == 401
        assert '<meta property="og:title" content="A request waits for you">' in there.text
        assert there.text.replace("a" * 24, "") == nowhere.text.replace("b" * 24, "")
        assert (await stranger.get("/reach")).status_code == 401
        posted = await stranger.post("/reach/channels", data={"address": "ntfys://ntfy.sh/x"})
        assert posted.status_code == 403
    await page.context.close()


async def test_without_https_the_page_says_so(here: World, chrome: Browser) -> None:
    async with visiting(here.found, chrome) as person:
        await person.page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
        await person.page.goto(f"{person.origin}/reach")
        await person.page.get_by_text("the inbox was opened without HTTPS").wait_for()
        assert await person.page.locator("#push-form").is_hidden()


def test_the_terminal_lists_adds_and_tests_channels(folder: Path) -> None:
    from tests.test_cli import run, type_into

    with receiving() as hook:
        code, shown = type_into(folder, [("not shown", hook.channel)], "channels", "add", "--name", "Desk")
        assert code == 0 and "Added: Desk (JSON" in shown and "s3cret" not in shown, shown
        listed = run(folder, "channels", "list").stdout
        assert "Desk" in listed and "s3cret" not in listed
        channel_id = listed.split()[0]
        assert "Taken by the receiver" in run(folder, "channels", "test", channel_id).stdout
        assert (
            "1 of 1" not in run(folder, "doctor").stdout and "everybody has a channel" in run(folder, "doctor").stdout
        )
        hook.status = 500
        failed = run(folder, "channels", "test", channel_id)
        assert failed.returncode == 2 and "It did not arrive" in failed.stderr
        examined = run(folder, "doctor").stdout
        assert "everybody has a channel" in examined and "1 of people's channels did not arrive" in examined
        refused = run(folder, "channels", "remove", channel_id)
        assert refused.returncode == 2 and "a person at a terminal is needed" in refused.stderr
