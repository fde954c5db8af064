"""Who is told of a request, when, and what came of it: counted truly, over both databases."""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import Created, NewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.sdk import http
from hitl_mcp.sdk.local import ask
from hitl_mcp.service.clock import milliseconds
from hitl_mcp.service.notify.quiet import quiet_till
from tests.receivers import Receiver, receiving
from tests.service.stage import Place, Stage, stage
from tests.world import SimulatedClock, eventually, sign_in

pytestmark = pytest.mark.anyio


@pytest.fixture
def hook() -> Generator[Receiver]:
    """A chat's web hook."""
    with receiving() as there:
        yield there


async def channel(here: Stage, address: str, **more: Any) -> str:
    """A channel of the machine's user."""
    made = await ask(here.found.console(), "POST", routes.CHANNELS, {"address": address} | more)
    return str(made["id"])


async def wants(here: Stage, **fields: str) -> None:
    """What the machine's user says on the page."""
    origin = here.services.keys.inbox_origin
    headers = {"Host": origin.removeprefix("http://"), "Origin": origin}
    async with http.new_client() as client:
        code = (await ask(here.found.console(), "POST", routes.SIGN_INS, {}))["code"]
        entered = await client.request("POST", f"{here.found.address}/sign-in", data={"code": code}, headers=headers)
        headers["Cookie"] = entered.headers["set-cookie"].split(";")[0]
        shown = await client.request("GET", f"{here.found.address}/reach", headers=headers)
        token = re.search(r'name="token" value="(\w+)"', shown.text)
        assert token is not None
        given = {"token": token[1], "breaks_quiet": "critical", "reminders": "1"} | fields
        saved = await client.request("POST", f"{here.found.address}/reach", data=given, headers=headers)
        assert saved.status_code == 303, saved.text


async def asked(here: Stage, priority: str = "medium", seconds: int = 3600, text: str = "Deploy?") -> Created:
    """A request that waits so long."""
    new = NewRequest.model_validate(
        {"kind": Kind.APPROVAL, "request_text": text, "priority": priority, "timeout_seconds": seconds,
         "processing_type": "time-sensitive"}
    )  # fmt: skip
    return await here.agent.create_request(here.loop_id, new)


async def came_of(here: Stage, request_id: str) -> tuple[bool, str | None]:
    """What the agent reads of the first member."""
    data = await ask(here.found.endpoint(), "GET", routes.REQUEST.format(request_id=request_id))
    told = data["request"]["broadcasted_to"][0]
    return told["notification_sent"], told["notification_error"]


async def test_one_person_with_two_channels_counts_once_and_each_is_sent_the_message(
    place: Place, hook: Receiver
) -> None:
    async with stage(place) as here:
        none = await asked(here)
        assert none.notifications_sent == 0 and none.broadcasted_to == 1
        assert place.url is None or any("Nobody was notified" in note for note in none.notes)
        await channel(here, hook.channel)
        await channel(here, f"json://127.0.0.1:{hook.port}/another", shows_text=False)
        await here.second_person()
        created = await asked(here, "high", text="Drop https://evil.example/x <!here>\nand more")
        assert (created.notifications_sent, created.broadcasted_to) == (1, 2)
        first, second = sorted(await hook.next(2), key=lambda post: post.path, reverse=True)
        assert first.said["title"] == second.said["title"] == "A request waits for you"
        link = f"{here.services.keys.public_address}/requests/{created.request_id}"
        assert link in first.said["message"] and "Loop: Default. Priority: high." in first.said["message"]
        assert "Drop https: evil . example/x ‹!here›" in first.said["message"] and "and more" not in first.body.decode()
        assert "Drop" not in second.body.decode(), "this channel does not quote"

        async def told() -> bool:
            return await came_of(here, created.request_id) == (True, None)

        await eventually(told)


async def test_a_failure_is_a_fact_for_the_agent_and_words_for_the_person(place: Place, hook: Receiver) -> None:
    hook.status = 500
    async with stage(place) as here:
        channel_id = await channel(here, hook.channel)
        created = await asked(here)
        assert created.notifications_sent == 1, "it was on its way"

        async def failed() -> bool:
            sent, why = await came_of(here, created.request_id)
            return not sent and bool(why) and "s3cret" not in str(why)

        await eventually(failed)
        known = (await ask(here.found.console(), "GET", routes.CHANNELS))["channels"][0]
        assert known["id"] == channel_id and "500" in known["fault"] and "s3cret" not in str(known)
        hook.status = 200
        tried = await ask(here.found.console(), "POST", routes.CHANNEL_TEST.format(channel_id=channel_id), seconds=30)
        assert tried == {"arrived": True, "fault": None}
        known = (await ask(here.found.console(), "GET", routes.CHANNELS))["channels"][0]
        assert known["fault"] is None and known["last_sent_at"] is not None


async def test_quiet_hours_hold_a_message_until_they_end_and_urgent_ones_break_through(
    place: Place, hook: Receiver
) -> None:
    """Berlin's clocks go from 2 to 3 that night, so 02:30 is past at that moment."""
    clock = SimulatedClock(milliseconds(datetime(2026, 3, 29, 0, 15, tzinfo=ZoneInfo("Europe/Berlin"))))
    async with stage(place, clock=clock) as here:
        await channel(here, hook.channel)
        await wants(here, time_zone="Europe/Berlin", quiet_from="22:00", quiet_until="02:30", breaks_quiet="high")
        calm, brief = await asked(here, "medium", 86_400), await asked(here, "medium", 600)
        assert calm.notifications_sent == brief.notifications_sent == 0
        sent, why = await came_of(here, calm.request_id)
        assert not sent and why is not None and "quiet hours" in why
        assert (await asked(here, "high", text="Urgent")).notifications_sent == 1
        assert "Urgent" in (await hook.next(1))[0].said["message"]
        clock.now = milliseconds(datetime(2026, 3, 29, 0, 59, 58, tzinfo=UTC))
        await here.sign_in_again()
        closed = await asked(here, "medium", 86_400, text="Withdrawn")
        await here.agent.cancel_request(closed.request_id)
        assert len(hook.posts) == 1, [post.said for post in hook.posts]
        clock.move(3)
        last = (await hook.next(2))[1].said["message"]
        assert "Deploy?" in last and "2026-03-30 01:15 CEST" in last

        async def told() -> bool:
            return await came_of(here, calm.request_id) == (True, None)

        await eventually(told)
        assert len(hook.posts) == 2, "what was withdrawn meanwhile is not announced"


async def test_each_loop_has_a_least_priority_or_none(place: Place, hook: Receiver) -> None:
    async with stage(place) as here:
        await channel(here, hook.channel)
        for least, told in (("high", [0, 1]), ("none", [0, 0]), ("low", [1, 1])):
            await wants(here, **{f"loop-{here.loop_id}": least})
            sent = [(await asked(here, priority)).notifications_sent for priority in ("medium", "critical")]
            assert sent == told, least


async def test_a_reminder_comes_once_and_only_to_who_has_taken_the_request(place: Place, hook: Receiver) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as here:
        await channel(here, hook.channel)
        other = await here.second_person()
        open_one, taken = await asked(here, seconds=1200), await asked(here, seconds=1200, text="Taken")
        short = await asked(here, seconds=300, text="Short")
        await hook.next(3)
        clock.move(500)
        await other.do(routes.REQUEST_CLAIM, taken.request_id)
        clock.move(390)
        await here.services.lifecycle.act_on_due()
        clock.move(15)
        await here.services.lifecycle.act_on_due()
        again = (await hook.next(4))[3].said
        assert again["title"] == "A request is about to expire" and open_one.request_id in again["message"]
        clock.move(60)
        await here.services.lifecycle.act_on_due()
        await here.agent.cancel_request(open_one.request_id)
        assert len(hook.posts) == 4 and short.request_id not in again["message"]


async def test_no_api_key_reaches_the_channels(place: Place) -> None:
    async with stage(place) as here:
        for method, path in (
            ("GET", routes.CHANNELS), ("POST", routes.CHANNELS), ("DELETE", routes.CHANNEL.format(channel_id="a" * 24)),
            ("POST", routes.CHANNEL_TEST.format(channel_id="a" * 24)),
        ):  # fmt: skip
            body = {"address": "json://127.0.0.1:1/x"} if path == routes.CHANNELS and method == "POST" else None
            assert (await here.wire.send(method, path, body)).status == 403


@pytest.mark.parametrize(
    ("at", "start", "end", "ends"),
    [
        ("2026-06-01T23:00", 22 * 60, 7 * 60, "2026-06-02T07:00"),
        ("2026-06-01T06:59", 22 * 60, 7 * 60, "2026-06-01T07:00"),
        ("2026-06-01T07:00", 22 * 60, 7 * 60, None),
        ("2026-06-01T12:30", 12 * 60, 13 * 60, "2026-06-01T13:00"),
        ("2026-06-01T12:30", 9 * 60, 9 * 60, None),
        ("2026-10-25T02:10+02:00", 22 * 60, 150, "2026-10-25T02:30+02:00"),  # an hour comes twice
        ("2026-10-25T02:10+01:00", 22 * 60, 150, "2026-10-25T02:30+01:00"),
        ("2026-03-29T01:59", 22 * 60, 150, "2026-03-29T03:00"),  # an hour is left out
    ],
)
def test_quiet_hours_follow_the_persons_own_clock(at: str, start: int, end: int, ends: str | None) -> None:
    zone = ZoneInfo("Europe/Berlin")

    def read(text: str) -> int:
        moment = datetime.fromisoformat(text)
        return milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=zone))

    assert quiet_till(read(at), zone, start, end) == (None if ends is None else read(ends))


async def test_a_terminal_session_is_no_session_of_the_page(place: Place) -> None:
    async with stage(place) as here:
        token = (await sign_in(here.found)).session.key
        origin = here.services.keys.inbox_origin
        headers = {"Host": origin.removeprefix("http://"), "Cookie": f"hitl_session={token}"}
        async with http.new_client() as client:
            assert (await client.request("GET", f"{here.found.address}/reach", headers=headers)).status_code == 401
