"""Sends messages to people's channels, and keeps what came of it where the person, the doctor and the agent see it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from sqlalchemy import bindparam, select

from hitl_mcp.contract.states import Channel as Way
from hitl_mcp.errors import BadRequest
from hitl_mcp.service import rows
from hitl_mcp.service.actors import Person
from hitl_mcp.service.context import Keys, Services
from hitl_mcp.service.membership import answers_in
from hitl_mcp.service.notify import apprise_url, channels, owners, web_push
from hitl_mcp.service.notify.card import TEST, Card, Told, card_of, card_of_disabled, test_card
from hitl_mcp.service.notify.channels import APPRISE, WEB_PUSH, Channel
from hitl_mcp.service.outbox.base import Delivery, Outcome
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import loops, requests, users

MAX_NAME = 100
SCHEDULE = (0, 15, 60, 5 * 60)
"""Seconds before each attempt; later nobody needs to hear of it."""
_NOBODY = "mailto:hitl_mcp@example.com"
"""Whom a browser's service can turn to about a service that only its own machine reaches."""
WEBHOOKS = "/webhooks"
"""The page that lists a person's webhooks."""
_about = (
    select(requests, loops.c.name.label("loop"), users.c.time_zone)
    .join(loops, loops.c.id == requests.c.loop_id)
    .join(users, users.c.id == bindparam("reader"))
    .where(requests.c.id == bindparam("request_id"))
)


@dataclass(frozen=True, slots=True)
class _Message:
    """What goes over one channel.

    Attributes:
        path: where it leads on the inbox's own origin.
        waiting: how many requests wait for the person.
    """

    channel: Channel
    card: Card
    path: str
    tag: str
    waiting: int


class MessageSender:
    """The `Sender` of messages.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def schedule(self) -> Sequence[float]:
        """See `Sender`."""
        return SCHEDULE

    async def send(self, delivery: Delivery) -> Outcome:
        """See `Sender`. A request that was closed meanwhile, or is another's by now, is not announced any more."""
        found = await self._services.store.read(partial(self._message, delivery=delivery))
        if isinstance(found, str):
            return Outcome(delivered=False, excerpt=found, again=False, dropped=True)
        return await self._sent(found)

    def settled(self, tx: Tx, delivery: Delivery, outcome: Outcome, given_up: bool) -> None:
        """See `Sender`: the channel's person sees what came of it."""
        if not outcome.dropped:
            _keep(tx, delivery.target, outcome)

    async def add(self, user_id: str, address: str, name: str, *, shows_text: bool) -> Channel:
        """Add a channel of Apprise.

        Args:
            name: what its person calls it; may be empty.

        Raises: BadRequest that says why the address may not be used, Conflict when there are too many.
        """
        if not name.isprintable() or len(name) > MAX_NAME:
            raise BadRequest("The name is too long, or holds what cannot be seen")
        leads_to = await apprise_url.checked(address, self._services.outgoing, at_home=self.at_home(user_id))
        named = f"{name} ({leads_to})" if name else leads_to

        def unit(tx: Tx) -> Channel:
            channel_id = channels.add(tx, user_id, APPRISE, named, address, shows_text=shows_text)
            return channels.find_mine(tx, user_id, channel_id)

        return await self._services.store.write(unit)

    async def test(self, user_id: str, channel_id: str) -> str | None:
        """Send a person a message that only shows that it arrives; None once it was taken, else why not.

        Raises: NotFound when the person has no such channel.
        """
        channel = await self._services.store.read(lambda tx: channels.find_mine(tx, user_id, channel_id))
        card = test_card(f"{self._services.keys.public_address}/reach")
        outcome = await self._sent(_Message(channel, card, "/reach", TEST, 0))
        await self._services.store.write(lambda tx: _keep(tx, channel_id, outcome))
        return None if outcome.delivered else outcome.excerpt

    def at_home(self, user_id: str) -> bool:
        """Whether somebody is the machine's own user, so that their channels may lead anywhere."""
        return not self._services.keys.is_team and user_id == self._services.account.user_id

    def _message(self, tx: Tx, *, delivery: Delivery) -> _Message | str:
        """What to send, or why nothing is to be sent any more."""
        channel = channels.find(tx, delivery.target)
        if channel is None or not channel.enabled:
            return "the channel was removed or turned off"
        if delivery.event == owners.DISABLED:
            return self._about_webhook(tx, channel, delivery.body)
        values = {"request_id": delivery.request_id, "reader": channel.user_id}
        about = tx.connection.execute(_about, values).first()
        if about is None or not rows.is_open(rows.columns(about), tx.now):
            return "the request was closed before"
        if not answers_in(tx, about.loop_id, channel.user_id):
            return "this person does not answer for the loop any more"
        reason = str(json.loads(delivery.body)["reason"])
        claimed = about.claimed_by is not None and about.claim_expires_at > tx.now
        if claimed and about.claimed_by != channel.user_id and reason in ("created", "reminder"):
            return "somebody else has taken it"
        quote = str(about.request_text) if channel.shows_text else None
        told = Told(reason, about.loop, about.priority, about.timeout_at, quote, about.time_zone)
        path = f"/requests/{about.id}"
        card = card_of(told, self._services.keys.public_address + path)
        return _Message(channel, card, path, str(about.id), _waiting(tx, channel))

    def _about_webhook(self, tx: Tx, channel: Channel, body: str) -> _Message | str:
        endpoint = owners.disabled(tx, body, channel.user_id)
        if endpoint is None:
            return "the webhook was enabled again or removed"
        why = str(endpoint.disabled_why) if channel.shows_text else None
        link = self._services.keys.public_address + WEBHOOKS
        card = card_of_disabled(urlsplit(str(endpoint.url)).hostname or "", why, link)
        return _Message(channel, card, WEBHOOKS, str(endpoint.id), _waiting(tx, channel))

    async def _sent(self, message: _Message) -> Outcome:
        return await (self._push(message) if message.channel.kind == WEB_PUSH else self._apprise(message))

    async def _apprise(self, message: _Message) -> Outcome:
        channel = message.channel
        try:  # what was public when it was added may lead elsewhere now
            at_home = self.at_home(channel.user_id)
            await apprise_url.checked(channel.address, self._services.outgoing, at_home=at_home)
        except BadRequest as refused:
            return Outcome(delivered=False, excerpt=refused.message, again=False)
        why = await apprise_url.send(channel.address, message.card)
        return Outcome(delivered=why is None, excerpt=why or "")

    async def _push(self, message: _Message) -> Outcome:
        keys = self._services.keys
        body = web_push.payload(message.card, message.path, message.tag, message.waiting)
        return await web_push.send(
            message.channel.address, body, self._services.outgoing, secret=keys.proof_secret,
            subject=_subject(keys), topic=message.tag,
        )  # fmt: skip


def _waiting(tx: Tx, channel: Channel) -> int:
    return rows.open_count_for(tx, Person(channel.user_id, "", Way.INBOX))


def _subject(keys: Keys) -> str:
    """Whom a browser's service can turn to: an https host without a port, or a mail address."""
    return f"https://{urlsplit(keys.public_address).hostname}" if keys.is_secure else _NOBODY


def _keep(tx: Tx, channel_id: str, outcome: Outcome) -> None:
    """Keep with the channel what came of a message; a subscription that its browser ended is forgotten."""
    if outcome.delivered:
        channels.arrived(tx, channel_id)
    elif outcome.status in web_push.GONE:
        channels.forget(tx, channel_id)
    else:
        channels.failed(tx, channel_id, outcome.excerpt)
