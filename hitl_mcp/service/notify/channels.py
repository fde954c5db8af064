"""The channels over which a person is told: kept, listed without their secrets, and what came of the last message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Row, bindparam, delete, func, insert, select, update

from hitl_mcp.contract.ids import new_id
from hitl_mcp.errors import Conflict, NotFound
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import channels

APPRISE = "apprise"
WEB_PUSH = "webpush"
MOST = 20
"""Channels of one person."""
FAULT_CHARACTERS = 500

_mine = (channels.c.id == bindparam("channel_id"), channels.c.user_id == bindparam("owner"))
_of_person = (
    select(channels)
    .where(channels.c.user_id == bindparam("owner"))
    .order_by(channels.c.created_at, channels.c.id)
)  # fmt: skip
_one = select(channels).where(channels.c.id == bindparam("channel_id"))


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel.

    Attributes:
        kind: `apprise` or `webpush`.
        address: holds secrets, so it is never shown or logged.
        shows_text: whether a message quotes the question's first line.
        last_sent_at: when a message last arrived, in milliseconds since 1970.
        failed_at: when one last failed; null once a later one arrived.
        fault: why.
    """

    id: str
    user_id: str
    kind: str
    name: str
    address: str = field(repr=False)
    enabled: bool
    shows_text: bool
    last_sent_at: int | None
    failed_at: int | None
    fault: str | None


def _channel(row: Row[Any]) -> Channel:
    return Channel(
        id=row.id, user_id=row.user_id, kind=row.kind, name=row.name, address=row.address, enabled=bool(row.enabled),
        shows_text=bool(row.shows_text), last_sent_at=row.last_sent_at, failed_at=row.failed_at, fault=row.fault,
    )  # fmt: skip


def of_person(tx: Tx, user_id: str) -> list[Channel]:
    """A person's channels, oldest first."""
    return [_channel(row) for row in tx.connection.execute(_of_person, {"owner": user_id})]


def find(tx: Tx, channel_id: str) -> Channel | None:
    """One channel, whosever it is."""
    row = tx.connection.execute(_one, {"channel_id": channel_id}).first()
    return None if row is None else _channel(row)


def find_mine(tx: Tx, user_id: str, channel_id: str) -> Channel:
    """One channel of a person. Raises: NotFound."""
    found = find(tx, channel_id)
    if found is None or found.user_id != user_id:
        raise NotFound("There is no such channel; it may have been removed")
    return found


def add(tx: Tx, user_id: str, kind: str, name: str, address: str, *, shows_text: bool = False) -> str:
    """Keep a channel and return its id; the same address again renews what is there.

    Raises: Conflict when the person has as many as can be.
    """
    known = select(channels.c.id).where(
        channels.c.user_id == user_id, channels.c.kind == kind, channels.c.address == address
    )
    fields = {"name": name, "enabled": 1, "shows_text": int(shows_text), "failed_at": None, "fault": None}
    channel_id = tx.connection.execute(known).scalar()
    if channel_id is not None:
        tx.connection.execute(update(channels).where(channels.c.id == channel_id).values(**fields, failures=None))
        return str(channel_id)
    count = select(func.count()).select_from(channels).where(channels.c.user_id == user_id)
    if tx.connection.execute(count).scalar_one() >= MOST:
        raise Conflict(f"You have {MOST} channels already. Remove one first")
    channel_id = new_id()
    row = {"id": channel_id, "user_id": user_id, "kind": kind, "address": address, "created_at": tx.now}
    tx.connection.execute(insert(channels), row | fields)
    return channel_id


def change(tx: Tx, user_id: str, channel_id: str, what: Literal["enabled", "shows_text"], on: bool) -> None:
    """Turn a channel on or off, or say whether its messages quote the question. Raises: NotFound."""
    statement = update(channels).where(*_mine).values({what: int(on)})
    if tx.connection.execute(statement, {"channel_id": channel_id, "owner": user_id}).rowcount == 0:
        raise NotFound("There is no such channel; it may have been removed")


def remove(tx: Tx, user_id: str, channel_id: str) -> None:
    """Forget a channel. One that is gone already is no fault."""
    tx.connection.execute(delete(channels).where(*_mine), {"channel_id": channel_id, "owner": user_id})


def forget(tx: Tx, channel_id: str) -> None:
    """Forget a channel that leads nowhere any more."""
    tx.connection.execute(delete(channels).where(channels.c.id == channel_id))


def arrived(tx: Tx, channel_id: str) -> None:
    """A message was taken; earlier failures are past."""
    values = {"last_sent_at": tx.now, "failed_at": None, "fault": None, "failures": None}
    tx.connection.execute(update(channels).where(channels.c.id == channel_id).values(values))


def failed(tx: Tx, channel_id: str, why: str) -> None:
    """A message was not taken; its person sees why."""
    values = {
        "failed_at": tx.now,
        "fault": why[:FAULT_CHARACTERS],
        "failures": func.coalesce(channels.c.failures, 0) + 1,
    }
    tx.connection.execute(update(channels).where(channels.c.id == channel_id).values(values))
