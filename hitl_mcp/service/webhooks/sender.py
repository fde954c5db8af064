"""Sends webhooks: signed, through the outgoing guard, never along a redirect, within 30 seconds (H12, H39)."""

from __future__ import annotations

import email.utils
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import anyio

from hitl_mcp import __version__
from hitl_mcp.contract.signatures import DELIVERY, EVENT, signature_headers, standard_headers
from hitl_mcp.contract.webhooks import TEST_EVENT
from hitl_mcp.errors import BadRequest, Unreachable
from hitl_mcp.service.outbox.base import SCHEDULE, Delivery, Outcome
from hitl_mcp.service.outgoing.guard import Outgoing
from hitl_mcp.service.store.base import Store, Tx
from hitl_mcp.service.webhooks import body, receivers
from hitl_mcp.service.webhooks.receivers import Receiver

log = logging.getLogger(__name__)

SECONDS = 30.0
EXCERPT_BYTES = 500
_AGAIN = (408, 429)
"""Of the answers from 400 to 499, those after which another attempt can help."""
_UNKNOWN_SIGNATURE = (401, 403)


class WebhookSender:
    """The `Sender` of webhooks.

    Args:
        store: where endpoints and their secrets are.
        outgoing: the guard.
        seconds: bound of one attempt.
    """

    def __init__(self, store: Store, outgoing: Outgoing, *, seconds: float = SECONDS) -> None:
        self._store = store
        self._outgoing = outgoing
        self._seconds = seconds

    @property
    def schedule(self) -> Sequence[float]:
        """See `Sender`."""
        return SCHEDULE

    async def send(self, delivery: Delivery) -> Outcome:
        """See `Sender`."""
        receiver = await self._store.read(lambda tx: receivers.receiver_of(tx, delivery))
        if receiver is None:
            await self._store.write(lambda tx: receivers.need_callback_secret(tx, delivery))
            receiver = await self._store.read(lambda tx: receivers.receiver_of(tx, delivery))
        if receiver is None:
            return Outcome(False, excerpt="The endpoint was disabled or removed meanwhile", again=False)
        outcome = Outcome(False, excerpt=f"It did not answer within {self._seconds:g} seconds")
        with anyio.move_on_after(self._seconds):
            # receivers that know one secret only keep working throughout an overlap, whichever of the two it is
            outcome = await self._called(delivery, receiver, receiver.former or receiver.secret)
            if receiver.former is not None and outcome.status in _UNKNOWN_SIGNATURE:
                outcome = await self._called(delivery, receiver, receiver.secret)
        if delivery.event == TEST_EVENT and not outcome.delivered:
            return Outcome(False, outcome.status, outcome.excerpt, again=False)
        return outcome

    def settled(self, tx: Tx, delivery: Delivery, outcome: Outcome, given_up: bool) -> None:
        """See `Sender`."""
        receivers.note_outcome(tx, delivery, outcome)

    async def _called(self, delivery: Delivery, receiver: Receiver, secret: str) -> Outcome:
        content = body.addressed(delivery.body, receiver.url, delivery.skipped)
        now = datetime.now(UTC)
        both = [receiver.secret] if receiver.former is None else [receiver.secret, receiver.former]
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"hitl-mcp-webhooks/{__version__}",
            EVENT: delivery.event,
            DELIVERY: str(delivery.id),
            **signature_headers(content, secret),
            **standard_headers(content, both, delivery.event_id, now),
        }
        try:
            async with self._outgoing.open(
                receiver.url, method="POST", headers=headers, content=content, silence=self._seconds, keep=True
            ) as answer:
                excerpt = await _beginning(answer.chunks)
                return _judged(answer.status, excerpt, answer.headers.get("Retry-After"), now)
        except Unreachable as error:
            return Outcome(False, excerpt=str(error))
        except BadRequest as error:  # the guard's refusal; it may be lifted by the setting it names
            return Outcome(False, excerpt=str(error.details or error.message))


def _judged(status: int, excerpt: str, retry_after: str | None, now: datetime) -> Outcome:
    if 200 <= status < 300:
        return Outcome(True, status, excerpt)
    if 300 <= status < 400:
        return Outcome(False, status, "It redirects, and webhooks follow no redirect. Register the final address")
    again = status >= 500 or status in _AGAIN
    return Outcome(False, status, excerpt, again, after_seconds=_seconds_of(retry_after, now))


def _seconds_of(retry_after: str | None, now: datetime) -> float | None:
    """What `Retry-After` asks for: seconds, or a date."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(text) - now).total_seconds())
    except (TypeError, ValueError):
        return None


async def _beginning(chunks: AsyncIterator[bytes]) -> str:
    """The first bytes of an answer as text; the rest is not read."""
    found = b""
    async for chunk in chunks:
        found += chunk
        if len(found) >= EXCERPT_BYTES:
            break
    text = found[:EXCERPT_BYTES].decode(errors="replace")
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)
