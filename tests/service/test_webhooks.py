"""Webhooks from the event to the receiver, over both databases, with real receivers on loopback."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from sqlalchemy import select
from standardwebhooks import Webhook as StandardWebhook

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import NewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.sdk.local import ask
from hitl_mcp.service.clock import Clock, wall_clock
from hitl_mcp.service.keys import renew_callback_secret
from hitl_mcp.service.store import tables
from hitl_mcp.webhooks import parse_event, verify_signature
from tests.receivers import Post, Receiver, receiving
from tests.service.receiver import Listener, Received, listening
from tests.service.stage import Place, Stage, stage
from tests.world import SimulatedClock, eventually

pytestmark = pytest.mark.anyio

LOOPBACK: dict[str, Any] = {"outgoing_allow": "127.0.0.1"}


@asynccontextmanager
async def at_work(place: Place, clock: Clock = wall_clock) -> AsyncGenerator[tuple[Stage, Listener]]:
    """A service that may call loopback, and a receiver."""
    async with listening() as receiver, stage(place, clock=clock, **LOOPBACK) as on:
        yield on, receiver


async def registered(on: Stage, url: str, *events: str, **more: Any) -> dict[str, Any]:
    """A new endpoint with its secret."""
    made = await on.wire.send("POST", routes.WEBHOOKS, {"url": url, "events": list(events) or ["*"], **more})
    assert made.status == 201, made
    return made.data["webhook"]


async def came(receiver: Listener, *events: str) -> list[Received]:
    """Wait until exactly these events came, in this order."""

    async def there() -> bool:
        return len(receiver.received) >= len(events)

    await eventually(there)
    assert receiver.events() == list(events)
    return receiver.received


async def deliveries(on: Stage, hook: dict[str, Any]) -> list[dict[str, Any]]:
    """What was sent to an endpoint, newest first."""
    answer = await on.wire.send("GET", routes.WEBHOOK_DELIVERIES.format(webhook_id=hook["id"]))
    return answer.data["deliveries"]


async def test_every_step_of_a_request_arrives_in_order_signed_and_readable(place: Place) -> None:
    async with at_work(place) as (on, receiver):
        hook = await registered(on, receiver.url, "request.*")
        asked = await on.ask_approval("Ship it?")
        await on.reviewer.do(routes.REQUEST_CLAIM, asked.request_id)
        await on.reviewer.do(routes.REQUEST_RELEASE, asked.request_id)
        await on.reviewer.answer(asked.request_id, "approve")
        feedback = routes.REQUEST_FEEDBACK.format(request_id=asked.request_id)
        assert (await on.wire.send("POST", feedback, {"feedback": {"rating": 5}})).status == 200
        calls = await came(
            receiver, "request.created", "request.claimed", "request.released", "request.completed", "request.feedback"
        )
        for call in calls:
            assert verify_signature(call.headers, call.raw, hook["secret"])
            assert not verify_signature(call.headers, call.raw + b" ", hook["secret"])
            StandardWebhook(hook["secret"]).verify(call.raw, call.headers)
            assert call.body["url"] == receiver.url and call.body["request_id"] == asked.request_id
            assert call.body["data"]["request_id"] == asked.request_id and "decision" in call.body["data"]
            assert call.headers["x-hitl-event"] == call.event
            assert call.headers["webhook-id"] == call.body["event_id"]
        assert [call.body["seq"] for call in calls] == [1, 2, 3, 4, 5]
        done = calls[3].body
        assert (done["status"], done["decision"], done["response_data"]) == ("completed", "approved", "approve")
        assert done["data"]["decision"] == "approved" and done["data"]["reviewer"] == done["response_by"]
        assert done["assurance"] == "same_machine_user" and done["decided_revision"] == 1
        event = parse_event(calls[3].raw)
        assert (event.decision, event.request_id, event.event_id) == ("approved", asked.request_id, done["event_id"])
        assert event.responder is not None and event.responder.name is not None
        assert calls[0].body["decision"] is None and parse_event(calls[0].raw).decision is None
        assert calls[4].body["data"]["feedback"] == {"rating": 5}


async def test_the_first_attempt_is_made_at_once(place: Place) -> None:
    async with at_work(place) as (on, receiver):
        await registered(on, receiver.url)
        await on.ask_approval("warm up")
        await came(receiver, "request.created")
        await on.ask_approval("Ship it?")
        await came(receiver, "request.created", "request.created")


async def test_a_callback_is_told_once_how_it_ended_and_signed_with_the_keys_own_secret(place: Place) -> None:
    async with at_work(place) as (on, receiver):
        secret = await on.services.store.write(lambda tx: renew_callback_secret(tx, on.agent_id))
        asked = await on.ask_approval("Ship it?", callback_url=f"{receiver.url}?token=x")
        assert not any("callback" in note.lower() for note in asked.notes)
        await on.reviewer.answer(asked.request_id, "reject")
        (call,) = await came(receiver, "request.completed")
        assert call.path == "/hook?token=x"
        assert verify_signature(call.headers, call.raw, secret)
        assert parse_event(call.raw).decision == "rejected"
        withdrawn = await on.ask_approval("And this?", callback_url=receiver.url)
        await on.agent.cancel_request(withdrawn.request_id)
        calls = await came(receiver, "request.completed", "request.cancelled")
        assert parse_event(calls[1].raw).decision is None and calls[1].body["status"] == "cancelled"
        answer = await on.wire.send("GET", routes.REQUEST_CALLBACKS.format(request_id=asked.request_id))
        (sent,) = answer.data["deliveries"]
        assert (sent["state"], sent["attempts"][0]["status"], sent["attempts"][0]["excerpt"]) == ("done", 200, "thanks")


async def test_a_timeout_is_told_and_is_no_decision(place: Place) -> None:
    clock = SimulatedClock()
    async with at_work(place, clock) as (on, receiver):
        await on.ask_approval("Ship it?", timeout_seconds=60, callback_url=receiver.url)
        clock.move(61)
        (call,) = await came(receiver, "request.timeout")
        assert (call.body["status"], call.body["decision"], call.body["response_data"]) == ("timeout", None, None)
        assert call.body["default_response"] == "reject"


async def test_patterns_loops_and_reviews_choose_what_is_told(place: Place) -> None:
    async with at_work(place) as (on, receiver), listening() as others, listening() as reviews:
        elsewhere = await on.second_loop()
        await registered(on, receiver.url, "*", "!request.created")
        await registered(on, others.url, "request.*", loop_id=elsewhere)
        await registered(on, reviews.url, "review.*")
        asked = await on.ask_approval("Ship it?")
        await on.reviewer.answer(asked.request_id, "approve")
        await came(receiver, "request.completed")
        calls = await came(reviews, "review.created", "review.completed")
        review = calls[1].body["review"]
        assert review["id"] == asked.request_id and review["result"]["approved"] is True
        assert calls[1].body["data"]["decision"] == "approved"
        assert others.received == []
        await on.agent.create_request(elsewhere, NewRequest(kind=Kind.APPROVAL, request_text="There?"))
        await came(others, "request.created")


async def test_a_failure_is_repeated_in_order_and_every_attempt_is_shown(place: Place) -> None:
    clock = SimulatedClock()
    async with at_work(place, clock) as (on, receiver):
        hook = await registered(on, receiver.url)
        receiver.answer = lambda _: (503, {"Retry-After": "120"}, b"not now \x1b[2J")
        asked = await on.ask_approval("Ship it?")
        await on.reviewer.answer(asked.request_id, "approve")

        async def tried() -> bool:
            return any(one["attempts"] for one in await deliveries(on, hook))

        await eventually(tried)
        completed, created = await deliveries(on, hook)
        assert (created["state"], completed["state"], completed["attempts"]) == ("waiting", "waiting", [])
        assert created["attempts"][0] | {"at": 0, "milliseconds": 0} == {
            "at": 0, "milliseconds": 0, "status": 503, "excerpt": "not now �[2J"
        }  # fmt: skip
        receiver.answer = lambda _: (200, {}, b"")
        clock.move(100)
        await anyio.sleep(0.2)
        assert receiver.events() == ["request.created"], "Retry-After is obeyed"
        clock.move(30)
        calls = await came(receiver, "request.created", "request.created", "request.completed")
        assert calls[0].body["event_id"] == calls[1].body["event_id"]


async def test_given_up_ones_are_counted_and_can_be_sent_again(place: Place) -> None:
    async with at_work(place) as (on, receiver):
        hook = await registered(on, receiver.url)
        receiver.answer = lambda call: (400 if call.event == "request.created" else 200, {}, b"")
        asked = await on.ask_approval("Ship it?")
        await on.reviewer.answer(asked.request_id, "approve")
        calls = await came(receiver, "request.created", "request.completed")
        assert [call.body["skipped"] for call in calls] == [0, 1]
        receiver.answer = lambda _: (200, {}, b"")
        again = routes.WEBHOOK_REDELIVER.format(webhook_id=hook["id"])
        _, created = await deliveries(on, hook)
        assert created["state"] == "failed"
        assert (await on.wire.send("POST", again, {"delivery_id": created["id"]})).data == {"count": 1}
        calls = await came(receiver, "request.created", "request.completed", "request.created")
        assert calls[2].body["event_id"] == calls[0].body["event_id"]
        since = {"since": "2020-01-01T00:00:00Z"}
        assert (await on.wire.send("POST", again, since)).data == {"count": 2}
        calls = await came(
            receiver, "request.created", "request.completed", "request.created", "request.created", "request.completed"
        )
        assert calls[4].body["skipped"] == 0
        for wrong in ({}, {"delivery_id": 1, "since": "2020-01-01T00:00:00Z"}, {"delivery_id": 10**6}):
            assert (await on.wire.send("POST", again, wrong)).status in (400, 404)


@pytest.fixture
def chat() -> Generator[Receiver]:
    """A person's channel."""
    with receiving() as there:
        yield there


async def test_an_endpoint_that_is_gone_or_fails_for_days_is_disabled_and_its_owner_told(
    place: Place, chat: Receiver
) -> None:
    clock = SimulatedClock()
    async with at_work(place, clock) as (on, receiver), listening() as dead:
        await ask(on.found.console(), "POST", routes.CHANNELS, {"address": chat.channel})
        silent = {"address": f"json://127.0.0.1:{chat.port}/silent", "shows_text": False}
        await ask(on.found.console(), "POST", routes.CHANNELS, silent)
        gone, failing = await registered(on, receiver.url), await registered(on, dead.url)
        receiver.answer = lambda _: (410, {}, b"")
        dead.answer = lambda _: (500, {}, b"broken")
        await on.ask_approval("Ship it?")

        async def is_disabled(hook: dict[str, Any]) -> bool:
            answer = await on.wire.send("GET", routes.WEBHOOK.format(webhook_id=hook["id"]))
            return not answer.data["webhook"]["enabled"]

        await eventually(lambda: is_disabled(gone))
        told = _about_webhooks(await chat.next(4))  # two channels hear of the request, and of the webhook
        assert {post.path for post in told} == {"/s3cret-token", "/silent"}
        for post in told:
            assert f"{on.services.keys.public_address}/webhooks" in post.said["message"], post.said
            assert ("410" in post.said["message"]) is (post.path != "/silent")
            assert "/hook" not in post.said["message"], "what follows the host may be a secret"
        for _ in range(6):
            count = len(dead.received)
            clock.move(12 * 3600)
            await on.ask_approval("Ship it?")

            async def tried_or_disabled(count: int = count) -> bool:
                return len(dead.received) > count or await is_disabled(failing)

            await eventually(tried_or_disabled)
        await eventually(lambda: is_disabled(failing))
        answer = await on.wire.send("GET", routes.WEBHOOK.format(webhook_id=failing["id"]))
        assert (
            "three days" in answer.data["webhook"]["disabled_why"]
            and "broken" in answer.data["webhook"]["disabled_why"]
        )

        async def all_told() -> bool:
            return len(_about_webhooks(chat.posts)) == 4

        await eventually(all_told)
        answer = await on.wire.send("PATCH", routes.WEBHOOK.format(webhook_id=failing["id"]), {"enabled": True})
        assert answer.data["webhook"]["enabled"] and answer.data["webhook"]["disabled_why"] is None


def _about_webhooks(posts: list[Post]) -> list[Post]:
    return [post for post in posts if post.said["title"] == "A webhook of yours was disabled"]


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_a_secret_rotates_and_neither_receiver_misses_anything(place: Place) -> None:
    clock = SimulatedClock()
    async with at_work(place, clock) as (on, receiver):
        hook = await registered(on, receiver.url, "request.created", secret="whsec_" + "MTIzNDU2Nzg5MDEyMzQ1Ng==")
        one = routes.WEBHOOK_ROTATE.format(webhook_id=hook["id"])
        rotated = (await on.wire.send("POST", one, {"overlap_seconds": 3600})).data["webhook"]
        assert rotated["secret"] != hook["secret"] and rotated["former_secret_until"] is not None

        def knows(secret: str) -> None:
            def answer(call: Received) -> tuple[int, dict[str, str], bytes]:
                good = verify_signature({"X-HITL-Signature": call.headers["x-hitl-signature"]}, call.raw, secret)
                StandardWebhook(secret).verify(call.raw, call.headers)
                return (200 if good else 401, {}, b"")

            receiver.answer = answer

        knows(hook["secret"])
        await on.ask_approval("1")
        await came(receiver, "request.created")
        knows(rotated["secret"])
        await on.ask_approval("2")
        await came(receiver, "request.created", "request.created", "request.created")

        async def all_done() -> bool:
            return all(sent["state"] == "done" for sent in await deliveries(on, hook))

        await eventually(all_done)
        assert all(len(sent["attempts"]) == 1 for sent in await deliveries(on, hook))
        clock.move(3601)
        await on.ask_approval("3")
        calls = await came(receiver, *["request.created"] * 4)
        assert " " not in calls[3].headers["webhook-signature"]


async def test_a_test_delivery_says_what_came_of_it(place: Place) -> None:
    async with at_work(place) as (on, receiver):
        hook = await registered(on, receiver.url, enabled=False)
        path = routes.WEBHOOK_TEST.format(webhook_id=hook["id"])
        good = (await on.wire.send("POST", path)).data["delivery"]
        assert (good["state"], good["attempts"][0]["status"]) == ("done", 200)
        event = parse_event(receiver.received[0].raw)
        assert (event.event, event.request_id, event.decision) == ("webhook.test", None, None)
        receiver.answer = lambda _: (302, {"Location": "http://169.254.169.254/"}, b"")
        bad = (await on.wire.send("POST", path)).data["delivery"]
        assert bad["state"] == "failed" and "follow no redirect" in bad["attempts"][0]["excerpt"]
        assert len(receiver.received) == 2


async def test_nobody_is_told_after_the_endpoint_is_removed_or_its_key_is_revoked(place: Place) -> None:
    async with at_work(place) as (on, receiver):
        hook = await registered(on, receiver.url)
        assert (await on.wire.send("DELETE", routes.WEBHOOK.format(webhook_id=hook["id"]))).status == 200
        await on.ask_approval("Ship it?")
        assert (await on.wire.send("GET", routes.WEBHOOKS)).data == {"webhooks": [], "count": 0}
        await anyio.sleep(0.1)
        assert receiver.received == []


async def test_what_was_sent_is_forgotten_thirty_days_after_it_was_over(place: Place, chat: Receiver) -> None:
    clock = SimulatedClock()
    async with at_work(place, clock) as (on, receiver), listening() as dead:
        await ask(on.found.console(), "POST", routes.CHANNELS, {"address": chat.channel})
        hook, failing = await registered(on, receiver.url), await registered(on, dead.url)
        dead.answer = lambda _: (500, {}, b"")
        closed = await on.ask_approval("Ship it?")

        async def person_told() -> bool:
            answer = await on.wire.send("GET", routes.REQUEST.format(request_id=closed.request_id))
            return answer.data["request"]["broadcasted_to"][0]["notification_sent"]

        await eventually(person_told)
        await on.agent.cancel_request(closed.request_id)

        async def over() -> bool:
            done = all(one["state"] == "done" for one in await deliveries(on, hook))
            return done and any(one["attempts"] for one in await deliveries(on, failing))

        await eventually(over)
        clock.move(2 * 86_400)
        later = await on.ask_approval("And this?")
        await eventually(over)
        clock.move(28 * 86_400 - 60)
        assert (len(await deliveries(on, hook)), await on.services.daily.prune()) == (3, 0)
        clock.move(120)
        assert await on.services.daily.prune() == 2
        assert {one["request_id"] for one in await deliveries(on, hook)} == {later.request_id}
        assert len(await deliveries(on, failing)) >= 3, "what was not over then is not old"
        assert await person_told(), "that a person was told is part of the request"
        orphans = select(tables.attempts.c.id).where(
            tables.attempts.c.delivery_id.not_in(select(tables.deliveries.c.id))
        )
        assert await on.services.store.read(lambda tx: tx.connection.execute(orphans).all()) == []
