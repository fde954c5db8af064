"""The seam of the outbox: what is sent, who sends it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt.

    Attributes:
        delivered: whether the receiver took it.
        status: the HTTP status, where there is one.
        excerpt: the beginning of what came back, or why nothing did; never a secret.
        again: whether another attempt can help.
        after_seconds: when the receiver asked to be left alone until.
    """

    delivered: bool
    status: int | None = None
    excerpt: str = ""
    again: bool = True
    after_seconds: float | None = None


class Sender(Protocol):
    """Sends deliveries of one kind."""

    async def send(self, delivery: Delivery) -> Outcome:
        """Try once. Never raises for what the receiver does; bounded in time."""
        ...
