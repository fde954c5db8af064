"""One-time ways in: a code from the terminal, a link by mail; and who has an address and a password.

Only hashes of secrets are stored. What a link opens is said nowhere but in the mail (H15).
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from sqlalchemy import delete, insert, select, update

from hitl_mcp.contract.states import Channel
from hitl_mcp.errors import NotAuthorised
from hitl_mcp.service import sessions
from hitl_mcp.service.invitations import CODE_LETTERS
from hitl_mcp.service.joining import doubt
from hitl_mcp.service.keys import hashed
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import sign_ins, users

CODE_MS = 60_000
LINK_MS = 10 * 60_000
BY_MAIL = "mail"
"""The purpose of a mailed link; a terminal's code has none."""


def new_code(tx: Tx, user_id: str, *, typed: bool = False) -> str:
    """A code for one sign-in within 60 seconds (H15).

    Args:
        typed: a short one for a person to type, else one of 256 bits for a form.
    """
    if typed:
        letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(10))
        code = f"{letters[:5]}-{letters[5:]}"
    else:
        code = secrets.token_urlsafe(32)
    _keep(tx, _plain(code), user_id, CODE_MS, None)
    return code


def new_link(tx: Tx, email: str) -> str | None:
    """The secret of a link for the person with this address, good for ten minutes; None when there is nobody."""
    user_id = tx.connection.execute(select(users.c.id).where(users.c.email == email)).scalar()
    if user_id is None:
        return None
    token = secrets.token_urlsafe(32)
    _keep(tx, token, user_id, LINK_MS, BY_MAIL)
    return token


def _keep(tx: Tx, secret: str, user_id: str, lifetime: int, purpose: str | None) -> None:
    tx.connection.execute(delete(sign_ins).where(sign_ins.c.expires_at <= tx.now))
    entry = {"code_hash": hashed(secret), "user_id": user_id, "expires_at": tx.now + lifetime, "purpose": purpose}
    tx.connection.execute(insert(sign_ins), entry)


def _plain(code: str) -> str:
    """Typed codes may come in any case, with or without their dash."""
    plain = code.strip()
    bare = plain.replace("-", "").replace(" ", "").upper()
    return bare if len(bare) == 10 else plain


def is_code(tx: Tx, code: str) -> bool:
    """Whether a code is one that was given out and not used up yet."""
    found = select(sign_ins.c.user_id).where(sign_ins.c.code_hash == hashed(_plain(code)), sign_ins.c.purpose.is_(None))
    return tx.connection.execute(found).first() is not None


def is_link(tx: Tx, token: str) -> bool:
    """Whether a mailed link still opens something."""
    found = select(sign_ins.c.expires_at).where(
        sign_ins.c.code_hash == hashed(token), sign_ins.c.purpose == BY_MAIL, sign_ins.c.expires_at > tx.now
    )
    return tx.connection.execute(found).first() is not None


def no_such_code() -> NotAuthorised:
    """For a code that opens nothing."""
    return NotAuthorised("This sign-in is used up, expired or wrong. Ask for a new one: hitl-mcp inbox")


def by_code(tx: Tx, code: str, channel: Channel, device: str | None = None) -> str:
    """Use up a code and open a session; returns the session's token. Raises: NotAuthorised."""
    user_id = _used(tx, _plain(code), None)
    if user_id is None:
        raise no_such_code()
    return sessions.start(tx, user_id, channel, device)


def by_link(tx: Tx, token: str, device: str | None = None) -> str:
    """Use up a mailed link and open a session in the inbox; returns its token. Raises: NotAuthorised.

    The mailbox proves the address, so whoever had only claimed it loses what they set up.
    """
    user_id = _used(tx, token, BY_MAIL)
    if user_id is None:
        raise NotAuthorised("This link was used already or is older than ten minutes. Ask for a new one")
    doubt(tx, user_id)
    return sessions.start(tx, user_id, Channel.INBOX, device)


def _used(tx: Tx, secret: str, purpose: str | None) -> str | None:
    of = sign_ins.c.purpose.is_(None) if purpose is None else sign_ins.c.purpose == purpose
    used = (
        delete(sign_ins)
        .where(sign_ins.c.code_hash == hashed(secret), of)
        .returning(sign_ins.c.user_id, sign_ins.c.expires_at)
    )
    found = tx.connection.execute(used).first()
    return None if found is None or found.expires_at <= tx.now else str(found.user_id)


def forget_codes(tx: Tx) -> None:
    """Make every open code worthless; the answer to guessing on one machine."""
    tx.connection.execute(delete(sign_ins).where(sign_ins.c.purpose.is_(None)))


class Known(NamedTuple):
    """Whom an address names, and the hash of their password where they have one."""

    user_id: str
    password: str | None


def known(tx: Tx, email: str) -> Known | None:
    """The person with this address."""
    row = tx.connection.execute(select(users.c.id, users.c.password_hash).where(users.c.email == email)).first()
    return None if row is None else Known(row.id, row.password_hash)


def password_of(tx: Tx, user_id: str) -> str | None:
    """The hash of a person's password; None where they have none."""
    return tx.connection.execute(select(users.c.password_hash).where(users.c.id == user_id)).scalar()


def set_password(tx: Tx, user_id: str, kept: str | None, token: str) -> int:
    """Give a person a new password, or none; returns how many other sessions ended with the old one.

    Args:
        kept: the hash.
        token: of the session that asks, the only one that stays.
    """
    tx.connection.execute(update(users).where(users.c.id == user_id).values(password_hash=kept))
    return sessions.end_others(tx, user_id, token)
