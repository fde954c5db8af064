"""API keys: made for a person, shown once, kept as a hash, limited to what was granted (D10, H9)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.teams import DEFAULT_SCOPES, Scope
from hitl_mcp.contract.webhooks import SECRET_PREFIX
from hitl_mcp.errors import NotFound
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.clock import maybe_moment, moment
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import api_keys, loops, users

PREFIX = "hitl_live_"
HINT_LENGTH = 16

ALL_SCOPES = frozenset(Scope)
"""What the data folder's own key may do: it belongs to the machine's user, who owns the loops."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be made.

    Attributes:
        user_id: the person it acts for; loops it makes are theirs.
        loop_ids: the only loops it reaches; None for all of its person's loops.
    """

    name: str
    user_id: str
    scopes: Sequence[Scope] = DEFAULT_SCOPES
    loop_ids: Sequence[str] | None = None


def hashed(secret: str) -> str:
    """How a secret is kept. Plain SHA-256, because our secrets have 256 random bits and cannot be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Secrets:
    """What is shown once.

    Attributes:
        key: the API key itself; only its hash is kept.
        callback: signs what is sent to this key's callbacks, one for each key (H12).
    """

    key: str = field(repr=False)
    callback: str = field(repr=False)


def new_webhook_secret() -> str:
    """A fresh secret of 256 random bits, in the form of Standard Webhooks."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def renew_callback_secret(tx: Tx, key_id: str) -> str:
    """A fresh secret for the callbacks of a key; the former one stops signing at once."""
    made = new_webhook_secret()
    tx.connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(callback_secret=made))
    return made


def create(tx: Tx, new: NewKey) -> tuple[Secrets, dict[str, Any]]:
    """Make a key; returns its secrets, which nobody sees again, and the key as it is listed. Raises: NotFound."""
    for loop_id in new.loop_ids or ():
        if tx.connection.execute(select(loops.c.id).where(loops.c.id == loop_id)).first() is None:
            raise NotFound("Loop not found", loop_id)
    made = Secrets(PREFIX + secrets.token_urlsafe(32), new_webhook_secret())
    entry = {
        "id": new_id(),
        "user_id": new.user_id,
        "name": new.name,
        "created_at": tx.now,
        "key_hash": hashed(made.key),
        "hint": made.key[:HINT_LENGTH],
        "callback_secret": made.callback,
        "scopes": json.dumps(sorted(new.scopes)),
        "loop_ids": None if new.loop_ids is None else json.dumps(sorted(set(new.loop_ids))),
    }
    tx.connection.execute(insert(api_keys), entry)
    shown = tx.connection.execute(_listed.where(api_keys.c.id == entry["id"])).one()
    return made, _shown(shown)


_listed = select(api_keys, users.c.name.label("person"), users.c.email).join(users, users.c.id == api_keys.c.user_id)


def named(tx: Tx, key_id: str) -> str:
    """What the operator calls a key."""
    return str(tx.connection.execute(select(api_keys.c.name).where(api_keys.c.id == key_id)).scalar_one())


def of_person(tx: Tx, user_id: str) -> list[str]:
    """The ids of a person's keys, the data folder's own among them."""
    found = select(api_keys.c.id).where(api_keys.c.user_id == user_id).order_by(api_keys.c.created_at)
    return list(tx.connection.execute(found).scalars())


def listed(tx: Tx, user_id: str | None = None) -> list[dict[str, Any]]:
    """Every key but the data folder's own, oldest first; never its secret.

    Args:
        user_id: only those that act for this person.
    """
    found = _listed.where(api_keys.c.key_hash.is_not(None)).order_by(api_keys.c.created_at, api_keys.c.id)
    if user_id is not None:
        found = found.where(api_keys.c.user_id == user_id)
    return [_shown(row) for row in tx.connection.execute(found)]


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "hint": f"{row.hint}...",
        "user_id": row.user_id,
        "person": row.email or row.person,
        "scopes": json.loads(row.scopes),
        "loop_ids": None if row.loop_ids is None else json.loads(row.loop_ids),
        "created_at": moment(row.created_at),
        "revoked_at": maybe_moment(row.revoked_at),
    }


def revoke(tx: Tx, key_id: str) -> dict[str, Any]:
    """End a key for good; requests it made stay. Raises: NotFound."""
    known = api_keys.c.id == key_id, api_keys.c.key_hash.is_not(None)
    tx.connection.execute(update(api_keys).where(*known, api_keys.c.revoked_at.is_(None)).values(revoked_at=tx.now))
    row = tx.connection.execute(_listed.where(*known)).first()
    if row is None:
        raise NotFound("There is no such key. `hitl-mcp keys list` shows them")
    return _shown(row)


_by_hash = (
    select(api_keys, users.c.email)
    .join(users, users.c.id == api_keys.c.user_id)
    .where(api_keys.c.key_hash == bindparam("key_hash"))
)


@dataclass(frozen=True, slots=True)
class Known:
    """What a secret stands for. `expires_at`: when it ends by itself, in milliseconds since 1970."""

    agent: Agent
    revoked: bool
    expires_at: int | None = None


def find(tx: Tx, secret: str) -> Known | None:
    """The key with this secret."""
    row = tx.connection.execute(_by_hash, {"key_hash": hashed(secret)}).first()
    if row is None:
        return None
    agent = Agent(
        row.id, row.user_id, scopes=frozenset(Scope(name) for name in json.loads(row.scopes)),
        loop_ids=None if row.loop_ids is None else frozenset(json.loads(row.loop_ids)), email=row.email,
    )  # fmt: skip
    return Known(agent, row.revoked_at is not None)
