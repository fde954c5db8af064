"""How the machine's own user is reached, from its terminal: `hitl-mcp channels`. No API key reaches these."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hitl_mcp.contract import routes
from hitl_mcp.contract.channels import Arrival, KnownChannel, KnownChannels, NewChannel
from hitl_mcp.service.api.parameters import ChannelId
from hitl_mcp.service.clock import maybe_moment
from hitl_mcp.service.notify import channels
from hitl_mcp.service.notify.channels import Channel
from hitl_mcp.service.notify.sender import MessageSender
from hitl_mcp.service.web.auth import ConsoleCaller, ServicesHere
from hitl_mcp.service.web.envelope import reply

router = APIRouter(tags=["channels"])


def _known(one: Channel) -> KnownChannel:
    return KnownChannel(
        id=one.id, kind=one.kind, name=one.name, enabled=one.enabled, shows_text=one.shows_text,
        last_sent_at=maybe_moment(one.last_sent_at), failed_at=maybe_moment(one.failed_at), fault=one.fault,
    )  # fmt: skip


@router.get(routes.CHANNELS)
async def list_channels(console: ConsoleCaller, services: ServicesHere) -> Response:
    """The channels, without their addresses."""
    mine = await services.store.read(lambda tx: channels.of_person(tx, services.account.user_id))
    return reply("Channels retrieved successfully", KnownChannels(channels=[_known(one) for one in mine]))


@router.post(routes.CHANNELS, status_code=201)
async def add_channel(new: NewChannel, console: ConsoleCaller, services: ServicesHere) -> Response:
    """Add one. Its address is not shown again."""
    made = await MessageSender(services).add(services.account.user_id, new.address, new.name, shows_text=new.shows_text)
    return reply("Channel added", _known(made), status=201)


@router.delete(routes.CHANNEL)
async def remove_channel(channel_id: ChannelId, console: ConsoleCaller, services: ServicesHere) -> Response:
    """Forget one."""
    await services.store.write(lambda tx: channels.remove(tx, services.account.user_id, channel_id))
    return reply("Channel removed", {})


@router.post(routes.CHANNEL_TEST)
async def test_channel(channel_id: ChannelId, console: ConsoleCaller, services: ServicesHere) -> Response:
    """Send a message that only shows that it arrives, and say what came of it."""
    fault = await MessageSender(services).test(services.account.user_id, channel_id)
    return reply("Test sent" if fault is None else "Test failed", Arrival(arrived=fault is None, fault=fault))
