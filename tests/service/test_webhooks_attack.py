"""What an attacker with a key tries: private addresses, somebody else's endpoints, secrets, redirects, rebinding."""

from __future__ import annotations

import dataclasses
import logging
import re
from typing import Any

import anyio
import httpx2
import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.teams import Scope
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.local import ask
from hitl_mcp.service.outbox.base import Delivery
from hitl_mcp.service.webhooks.sender import WebhookSender
from tests.inbox.visit import new_code, origin_of
from tests.service.receiver import listening
from tests.service.stage import Place, stage
from tests.service.test_webhooks import LOOPBACK, at_work, came, deliveries, registered
from tests.world import eventually

pytestmark = pytest.mark.anyio

PRIVATE = [
    "http://127.0.0.1/", "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/",
    "https://0177.0.0.1/", "https://0.0.0.0/", "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[fe80::1]/",
    "https://169.254.169.254/latest/meta-data", "https://168.63.129.16/", "https://100.100.100.200/",
    "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://localhost/", "https://localhost./",
    "http://1.1.1.1/", "https://user:pass@1.1.1.1/",
]  # fmt: skip


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_no_private_address_is_taken_or_called(place: Place) -> None:
    async with stage(place) as on:
        for url in PRIVATE:
            answer = await on.wire.send("POST", routes.WEBHOOKS, {"url": url})
            assert answer.status == 400, url
            assert "user:pass" not in str(answer.body)
        assert "HITL_OUTGOING_ALLOW" in str((await on.wire.send("POST", routes.WEBHOOKS, {"url": PRIVATE[1]})).body)
        unreadable = await on.wire.send("POST", routes.WEBHOOKS, {"url": "example.com/hook"})
        assert "url must be an absolute http or https address" in str(unreadable.body)
        asked = await on.ask_approval("Ship it?", callback_url="https://169.254.169.254/latest")
        await on.agent.cancel_request(asked.request_id)

        async def refused() -> bool:
            answer = await on.wire.send("GET", routes.REQUEST_CALLBACKS.format(request_id=asked.request_id))
            return any("HITL_OUTGOING_ALLOW" in one["attempts"][0]["excerpt"] for one in answer.data["deliveries"]
                       if one["attempts"])  # fmt: skip

        await eventually(refused)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_a_name_that_turns_private_after_it_was_registered_is_not_called(place: Place) -> None:
    answers = ["1.1.1.1"]

    async def resolve(_: str) -> list[str]:
        return list(answers)

    async with listening() as receiver, stage(place) as on:
        url = f"https://rebinds.example:{receiver.port}/"
        on.services.outgoing._resolver = resolve  # pyright: ignore[reportPrivateUsage]  # the name's owner changes it
        hook = await registered(on, url)
        answers[:] = ["127.0.0.1"]
        sent = (await on.wire.send("POST", routes.WEBHOOK_TEST.format(webhook_id=hook["id"]))).data["delivery"]
        assert "private address" in sent["attempts"][0]["excerpt"]
        assert receiver.received == []


async def test_a_key_has_its_own_endpoints_only_and_needs_both_scopes(place: Place) -> None:
    async with at_work(place) as (on, receiver):
        hook = await registered(on, receiver.url)

        async def key(*scopes: Scope, **more: object) -> Endpoint:
            wanted = {"name": "other", "scopes": list(scopes), **more}
            made = await ask(on.found.console(), "POST", routes.KEYS, wanted)
            return dataclasses.replace(on.found.endpoint(), key=made["key"])

        other = await key(*Scope)
        stranger = await key(*Scope, email="mallory@example.com")
        for caller in (other, stranger):
            paths: list[tuple[str, str, Any]] = [
                ("GET", routes.WEBHOOK, None), ("PATCH", routes.WEBHOOK, {"url": "https://1.1.1.1/"}),
                ("DELETE", routes.WEBHOOK, None), ("POST", routes.WEBHOOK_TEST, None),
                ("POST", routes.WEBHOOK_ROTATE, {}), ("GET", routes.WEBHOOK_DELIVERIES, None),
                ("POST", routes.WEBHOOK_REDELIVER, {"since": "2020-01-01T00:00:00Z"}),
            ]  # fmt: skip
            for method, path, body in paths:
                answer = await on.wire.send(method, path.format(webhook_id=hook["id"]), body, key=caller)
                assert answer.status == 404, (method, path)
            assert (await on.wire.send("GET", routes.WEBHOOKS, key=caller)).data["webhooks"] == []
        for lacking in ((Scope.WEBHOOKS_WRITE,), (Scope.REQUESTS_READ, Scope.REQUESTS_WRITE)):
            answer = await on.wire.send("POST", routes.WEBHOOKS, {"url": receiver.url}, key=await key(*lacking))
            assert answer.status == 403
        spying = await on.wire.send("POST", routes.WEBHOOKS, {"url": f"{receiver.url}/spy"}, key=stranger)
        assert spying.status == 201
        await on.ask_approval("A secret plan")
        await came(receiver, "request.created")
        assert receiver.received[0].path == "/hook", "another person's endpoint hears nothing of it"


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_secrets_stand_in_no_list_log_or_attempt(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with at_work(place) as (on, receiver):
        secret = "this-is-the-secret-itself"
        hook = await registered(on, receiver.url, secret=secret)
        receiver.answer = lambda call: (500, {}, b"no")
        await on.ask_approval("Ship it?")

        async def tried() -> bool:
            return any(one["attempts"] for one in await deliveries(on, hook))

        await eventually(tried)
        shown = [
            await on.wire.send("GET", routes.WEBHOOKS),
            await on.wire.send("GET", routes.WEBHOOK.format(webhook_id=hook["id"])),
            await on.wire.send("PATCH", routes.WEBHOOK.format(webhook_id=hook["id"]), {"description": "x"}),
            await on.wire.send("GET", routes.WEBHOOK_DELIVERIES.format(webhook_id=hook["id"])),
        ]
        assert secret not in str([answer.body for answer in shown]) and secret not in caplog.text
        assert secret not in receiver.received[0].raw.decode() + str(receiver.received[0].headers)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_an_answer_that_never_ends_is_cut_and_one_that_drips_is_given_up(place: Place) -> None:
    async with at_work(place) as (on, receiver):
        hook = await registered(on, receiver.url)
        receiver.answer = lambda _: (200, {}, b"x" * 3_000_000)
        test = routes.WEBHOOK_TEST.format(webhook_id=hook["id"])
        sent = (await on.wire.send("POST", test)).data["delivery"]
        assert sent["state"] == "done" and len(sent["attempts"][0]["excerpt"]) == 500
        receiver.answer = lambda _: None
        sender = WebhookSender(on.services.store, on.services.outgoing, seconds=0.2)
        with anyio.fail_after(5):
            outcome = await sender.send(
                Delivery(1, "webhook", hook["id"], "e", "request.created", None, None, "{}", 0, 0, 1)
            )
        assert not outcome.delivered and "within 0.2 seconds" in outcome.excerpt


async def test_the_pages_register_test_rotate_and_remove_for_signed_in_people_only(place: Place) -> None:
    async with listening() as receiver, stage(place, **LOOPBACK) as on:
        origin = await origin_of(on.found)
        headers = {"Host": origin.split("//")[1], "Origin": "null"}
        async with httpx2.AsyncClient(base_url=on.found.address, headers=headers) as browser:
            assert (await browser.get("/webhooks")).status_code == 401
            made = await browser.post("/sign-in", data={"code": await new_code(on.found)})
            browser.cookies.clear()
            browser.headers |= {"Cookie": f"hitl_session={made.cookies['hitl_session']}", "Origin": origin}
            page = await browser.get("/webhooks")
            token = _token(page.text)
            bad = await browser.post("/webhooks", data={"token": token, "url": "https://10.0.0.1/<i>"})
            assert bad.status_code == 400 and "HITL_OUTGOING_ALLOW" in bad.text and "<i>" not in bad.text
            assert (await browser.post("/webhooks", data={"url": receiver.url})).status_code == 403
            shown = await browser.post("/webhooks", data={"token": token, "url": receiver.url})
            assert shown.status_code == 200
            secret = re.search(r"whsec_[\w+/=]+", shown.text)
            hook = re.search(r"/webhooks/([0-9a-f]{24})/test", shown.text)
            assert secret is not None and hook is not None
            address = f"/webhooks/{hook[1]}"
            assert secret[0] not in (await browser.get(address)).text
            assert (await browser.post(f"{address}/test", data={"token": token})).status_code == 303
            await came(receiver, "webhook.test")

            async def arrived() -> bool:
                return "arrived" in (await browser.get(address)).text

            await eventually(arrived)
            rotated = await browser.post(f"{address}/rotate", data={"token": token})
            assert "whsec_" in rotated.text and secret[0] not in rotated.text
            for action in ("disable", "enable", "remove"):
                assert (await browser.post(f"{address}/{action}", data={"token": token})).status_code == 303
            assert (await browser.get(address)).status_code == 404


def _token(text: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', text)
    assert found is not None
    return found[1]
