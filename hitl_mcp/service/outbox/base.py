"""The seam of the outbox: what is sent, who sends it, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hitl_mcp.service.store.base import Tx

SCHEDULE = (0, 15, 60, 5 * 60, 30 * 60, 2 * 3600, 12 * 3600, 24 * 3600)
"""Seconds before each attempt, as documented (contract section 5.5); after the last the delivery is given up."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing to be sent to one receiver.

    Attributes:
        id: its row; the order of rows is the order within a line.
        kind: `webhook` or `message`: which sender takes it.
        target: the endpoint, API key (of a `callback_url`) or channel.
        event_id: what a receiver recognises a repetition by.
        body: as it was made; what is signed or rendered.
        attempts: how often it was tried before.
        fence: rises whenever somebody takes it; whoever holds an older number may no longer write (H29).
        skipped: how many earlier ones of its line were given up.
    """

    id: int
    kind: str
    target: str
    event_id: str
    event: str
    request_id: str | None
    seq: int | None
    body: str
    created_at: int
    attempts: int
    fence: int
    line: str = ""
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt.

    Attributes:
        delivered: whether the receiver took it.
        status: the HTTP status, where there is one.
        excerpt: the beginning of what came back, or why nothing did; never a secret.
        again: whether another attempt can help.
        dropped: there was nothing to send any more, which is no failure; goes with `again=False`.
        after_seconds: when the receiver asked to be left alone until.
    """

    delivered: bool
    status: int | None = None
    excerpt: str = ""
    again: bool = True
    dropped: bool = False
    after_seconds: float | None = None


class Sender(Protocol):
    """Sends deliveries of one kind."""

    @property
    def schedule(self) -> Sequence[float]:
        """Seconds before each attempt, the first included; `SCHEDULE` where nothing else is called for."""
        ...

    async def send(self, delivery: Delivery) -> Outcome:
        """Try once. Never raises for what the receiver does; bounded to 30 seconds."""
        ...

    def settled(self, tx: Tx, delivery: Delivery, outcome: Outcome, given_up: bool) -> None:
        """Write what an attempt means for its target, in the transaction that writes the attempt."""
        ...
