"""Sessions of people: opened, found by their token, listed, ended. Only hashes of tokens are stored."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, select, update

from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.states import Assurance, Channel
from hitl_mcp.errors import NotFound
from hitl_mcp.service.actors import Person
from hitl_mcp.service.clock import moment
from hitl_mcp.service.keys import hashed
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import sessions, sign_ins, users

SESSION_MS = 30 * 24 * 3_600_000
TERMINAL_SESSION_MS = 10 * 60_000
SEEN_MS = 5 * 60_000
"""A session's last use is written this often at most."""
FRESH_MS = 10 * 60_000
"""Who has signed in so recently need not show the old password to choose a new one."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a session.

    Attributes:
        unseen: whether its last use should be written down again.
    """

    person: Person
    unseen: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A session in its person's list."""

    id: str
    device: str
    since: datetime
    seen: datetime
    is_this: bool
    is_terminal: bool


_holder = (
    select(users.c.id, users.c.name, sessions.c.channel, sessions.c.created_at, sessions.c.seen_at)
    .join_from(sessions, users, sessions.c.user_id == users.c.id)
    .where(sessions.c.token_hash == bindparam("token_hash"), sessions.c.expires_at > bindparam("now"))
)
_seen = (
    update(sessions)
    .where(sessions.c.token_hash == bindparam("token"), sessions.c.expires_at > bindparam("now"))
    .values(seen_at=bindparam("now"))
)


def start(tx: Tx, user_id: str, channel: Channel, device: str | None = None) -> str:
    """Open a session; returns its token.

    Args:
        device: what the person's list calls it.
    """
    token = secrets.token_urlsafe(32)
    lifetime = SESSION_MS if channel is Channel.INBOX else TERMINAL_SESSION_MS
    tx.connection.execute(
        insert(sessions),
        {"token_hash": hashed(token), "user_id": user_id, "channel": channel.value, "created_at": tx.now,
         "expires_at": tx.now + lifetime, "id": new_id(), "device": device, "seen_at": tx.now},
    )  # fmt: skip
    return token


def holder(tx: Tx, token: str, assurance: Assurance) -> Holder | None:
    """Who holds this session, if it lives.

    Args:
        assurance: what an answer over this service is worth.
    """
    row = tx.connection.execute(_holder, {"token_hash": hashed(token), "now": tx.now}).first()
    if row is None:
        return None
    unseen = tx.now - (row.seen_at or row.created_at) >= SEEN_MS
    return Holder(Person(row.id, row.name, Channel(row.channel), assurance), unseen)


def seen(tx: Tx, token: str) -> None:
    """Note that a session was used."""
    tx.connection.execute(_seen, {"token": hashed(token), "now": tx.now})


def is_fresh(tx: Tx, token: str) -> bool:
    """Whether its person signed in a moment ago."""
    begun = select(sessions.c.created_at).where(sessions.c.token_hash == hashed(token))
    at = tx.connection.execute(begun).scalar()
    return at is not None and 0 <= tx.now - at < FRESH_MS


def listed(tx: Tx, user_id: str, token: str) -> list[Listed]:
    """The living sessions of a person, last used first.

    Args:
        token: of the session that asks; it is marked.
    """
    living = select(sessions).where(sessions.c.user_id == user_id, sessions.c.expires_at > tx.now)
    found = [
        Listed(
            row.id or row.token_hash[:24], row.device or "", moment(row.created_at),
            moment(row.seen_at or row.created_at), row.token_hash == hashed(token),
            row.channel == Channel.TERMINAL.value,
        )
        for row in tx.connection.execute(living)
    ]  # fmt: skip
    return sorted(found, key=lambda one: (not one.is_this, -one.seen.timestamp()))


def end_one(tx: Tx, user_id: str, session_id: str) -> None:
    """End one session of a person. Raises: NotFound."""
    of_person = sessions.c.user_id == user_id
    older = sessions.c.id.is_(None) & (func.substr(sessions.c.token_hash, 1, 24) == session_id)
    one = (sessions.c.id == session_id) | older
    if tx.connection.execute(delete(sessions).where(of_person, one)).rowcount == 0:
        raise NotFound("This session has ended already")


def end_others(tx: Tx, user_id: str, token: str | None) -> int:
    """End every session of a person but one, and what could open another; returns how many ended.

    Args:
        token: of the session that stays; None ends all.
    """
    tx.connection.execute(delete(sign_ins).where(sign_ins.c.user_id == user_id))
    others = delete(sessions).where(sessions.c.user_id == user_id)
    if token is not None:
        others = others.where(sessions.c.token_hash != hashed(token))
    return tx.connection.execute(others).rowcount


def end_this(tx: Tx, token: str) -> None:
    """End the session with this token."""
    tx.connection.execute(delete(sessions).where(sessions.c.token_hash == hashed(token)))


def end_all(tx: Tx) -> None:
    """End every session of everybody (H14)."""
    tx.connection.execute(delete(sessions))
    tx.connection.execute(delete(sign_ins))


def end_terminals(tx: Tx, user_id: str) -> None:
    """End the terminal sessions of one person."""
    tx.connection.execute(
        delete(sessions).where(sessions.c.user_id == user_id, sessions.c.channel == Channel.TERMINAL.value)
    )


_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"),
             ("Chrome/", "Chrome"), ("Safari/", "Safari"))  # fmt: skip
_SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("CrOS", "ChromeOS"),
            ("Windows", "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux"))  # fmt: skip


def device_of(agent: str) -> str:
    """A browser's own long name, shortened to what its owner knows it by: `Firefox on Windows`."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in agent), None)
    if browser and system:
        return f"{browser} on {system}"
    first = re.sub(r"[^\x20-\x7e]", "", agent).partition(" ")[0][:40]
    return browser or system or first
