"""A step of a ladder can tell a channel, at any hour; only who keeps the loop names it, and only their own."""

from __future__ import annotations

import pytest

from hitl_mcp.errors import BadRequest
from hitl_mcp.service.notify import channels
from hitl_mcp.service.store.base import Tx
from tests.receivers import Receiver
from tests.service.stage import Place, add_person, stage
from tests.service.test_escalation import climb_by, escalate
from tests.service.test_notify import channel, hook, wants
from tests.world import SimulatedClock

__all__ = ["hook"]
pytestmark = pytest.mark.anyio

NIGHT = {"time_zone": "UTC", "quiet_from": "00:00", "quiet_until": "23:59"}


async def test_a_channel_of_the_ladder_is_told_also_in_quiet_hours(place: Place, hook: Receiver) -> None:
    async with stage(place, clock=SimulatedClock(1_800_000_000_000)) as on:
        chat = await channel(on, hook.channel)
        await wants(on, **NIGHT)
        await climb_by(on, on.loop_id, {"to_channels": [chat]})
        asked = await on.ask_approval("May I pay?", timeout_seconds=3600)
        assert asked.notifications_sent == 0 and hook.posts == []
        assert (await escalate(on, asked.request_id)).status == 200
        (post,) = await hook.next(1)
        assert asked.request_id in post.body.decode()


async def test_only_channels_of_ones_own_that_are_there_can_be_named(place: Place, hook: Receiver) -> None:
    async with stage(place) as on:

        def unit(tx: Tx) -> str:
            grace = add_person(tx, on.loop_id, "Grace")
            return channels.add(tx, grace, channels.APPRISE, "Grace's", "json://127.0.0.1:1/x")

        theirs = await on.services.store.write(unit)
        for nobodys in (theirs, "0" * 24):
            with pytest.raises(BadRequest, match="Not saved") as refused:
                await climb_by(on, on.loop_id, {"to_channels": [nobodys]})
            assert "a channel that is not yours" in str(refused.value.details)
        mine = await channel(on, hook.channel)
        await climb_by(on, on.loop_id, {"to_channels": [mine]})
        await on.services.store.write(lambda tx: channels.remove(tx, on.services.account.user_id, mine))
        asked = await on.ask_approval("May I?")
        assert (await escalate(on, asked.request_id)).status == 200, "a removed channel holds nothing up"
