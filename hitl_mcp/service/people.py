"""The local account, sign-ins and sessions. Only hashes of secrets are stored."""

from __future__ import annotations

import getpass
import secrets
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select

from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.states import Assurance, Channel
from hitl_mcp.errors import NotAuthorised, NotFound
from hitl_mcp.service import loops
from hitl_mcp.service.actors import Person
from hitl_mcp.service.keys import hashed
from hitl_mcp.service.members import CODE_LETTERS, known_by
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import api_keys, facts, sessions, sign_ins, users

SIGN_IN_MS = 60_000
SESSION_MS = 30 * 24 * 3_600_000
TERMINAL_SESSION_MS = 10 * 60_000


@dataclass(frozen=True, slots=True)
class LocalAccount:
    """The first person: whoever runs the service. Owner of the folder's own key, member of the default loop."""

    user_id: str
    api_key_id: str


def local_account(tx: Tx) -> LocalAccount:
    """The account of this data folder; made with its default loop at the first start."""
    found = {row.name: row.value for row in tx.connection.execute(select(facts.c.name, facts.c.value))}
    if "local_user" in found:
        return LocalAccount(found["local_user"], found["local_key"])
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = "You"
    account = LocalAccount(new_id(), new_id())
    tx.connection.execute(insert(users), {"id": account.user_id, "name": name, "created_at": tx.now})
    key = {"id": account.api_key_id, "user_id": account.user_id, "name": "Agents on this machine", "created_at": tx.now}
    tx.connection.execute(insert(api_keys), key)
    loops.add_loop(
        tx, name="Default", description="Questions of the agents on this machine", icon="shield-check",
        creator_id=account.user_id,
    )  # fmt: skip
    values = {"local_user": account.user_id, "local_key": account.api_key_id}
    tx.connection.execute(insert(facts), [{"name": name, "value": value} for name, value in values.items()])
    return account


def new_sign_in(tx: Tx, user_id: str, *, typed: bool = False) -> str:
    """A code for one sign-in within 60 seconds (H15).

    Args:
        typed: a short one for a person to type, else one of 256 bits for a form.
    """
    if typed:
        letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(10))
        code = f"{letters[:5]}-{letters[5:]}"
    else:
        code = secrets.token_urlsafe(32)
    tx.connection.execute(delete(sign_ins).where(sign_ins.c.expires_at <= tx.now))
    entry = {"code_hash": hashed(_plain(code)), "user_id": user_id, "expires_at": tx.now + SIGN_IN_MS}
    tx.connection.execute(insert(sign_ins), entry)
    return code


def _plain(code: str) -> str:
    """Typed codes may come in any case, with or without their dash."""
    plain = code.strip()
    bare = plain.replace("-", "").replace(" ", "").upper()
    return bare if len(bare) == 10 else plain


def is_code(tx: Tx, code: str) -> bool:
    """Whether a code is one that was given out and not used up yet."""
    found = select(sign_ins.c.user_id).where(sign_ins.c.code_hash == hashed(_plain(code)))
    return tx.connection.execute(found).first() is not None


def no_such_code() -> NotAuthorised:
    """For a code that opens nothing."""
    return NotAuthorised("This sign-in is used up, expired or wrong. Ask for a new one: hitl-mcp inbox")


def sign_in(tx: Tx, code: str, channel: Channel) -> str:
    """Use up a code and open a session; returns the session's token. Raises: NotAuthorised."""
    used = (
        delete(sign_ins)
        .where(sign_ins.c.code_hash == hashed(_plain(code)))
        .returning(sign_ins.c.user_id, sign_ins.c.expires_at)
    )
    found = tx.connection.execute(used).first()
    if found is None or found.expires_at <= tx.now:
        raise no_such_code()
    return new_session(tx, found.user_id, channel)


def forget_code(tx: Tx) -> None:
    """Make every open code worthless; the answer to guessing."""
    tx.connection.execute(delete(sign_ins))


_person = (
    select(users.c.id, users.c.name, sessions.c.channel)
    .join_from(sessions, users, sessions.c.user_id == users.c.id)
    .where(sessions.c.token_hash == bindparam("token_hash"), sessions.c.expires_at > bindparam("now"))
)


def person_of(tx: Tx, token: str, assurance: Assurance) -> Person | None:
    """Who holds this session, if it lives.

    Args:
        assurance: what an answer over this service is worth.
    """
    row = tx.connection.execute(_person, {"token_hash": hashed(token), "now": tx.now}).first()
    return None if row is None else Person(row.id, row.name, Channel(row.channel), assurance)


def with_address(tx: Tx, email: str) -> str:
    """The id of the person with this address, whom the terminal vouches for. Raises: NotFound."""
    user_id = known_by(tx, email)
    if user_id is None:
        raise NotFound("Nobody with this address is known here", email)
    return user_id


def new_session(tx: Tx, user_id: str, channel: Channel) -> str:
    """Open a session; returns its token."""
    token = secrets.token_urlsafe(32)
    lifetime = SESSION_MS if channel is Channel.INBOX else TERMINAL_SESSION_MS
    tx.connection.execute(
        insert(sessions),
        {"token_hash": hashed(token), "user_id": user_id, "channel": channel.value, "created_at": tx.now,
         "expires_at": tx.now + lifetime},
    )  # fmt: skip
    return token


def sign_out(tx: Tx, token: str) -> None:
    """End one session."""
    tx.connection.execute(delete(sessions).where(sessions.c.token_hash == hashed(token)))


def end_sessions(tx: Tx) -> None:
    """End every session (H14)."""
    tx.connection.execute(delete(sessions))
    tx.connection.execute(delete(sign_ins))


def end_terminal_sessions(tx: Tx, user_id: str) -> None:
    """End the terminal sessions of one person."""
    tx.connection.execute(
        delete(sessions).where(sessions.c.user_id == user_id, sessions.c.channel == Channel.TERMINAL.value)
    )


def server_secret(tx: Tx) -> bytes:
    """The secret that every process of one database shares; form tokens are made with it."""
    known = tx.connection.execute(select(facts.c.value).where(facts.c.name == "server_secret")).scalar()
    if known is None:
        known = secrets.token_hex(32)
        tx.connection.execute(insert(facts), {"name": "server_secret", "value": known})
    return bytes.fromhex(known)
