"""The people of a service: its first one, who has an address, and what all processes of one database share."""

from __future__ import annotations

import getpass
import secrets
from dataclasses import dataclass

from sqlalchemy import func, insert, select, update

from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.people import KnownPerson
from hitl_mcp.errors import Conflict, NotFound
from hitl_mcp.service import loops
from hitl_mcp.service.joining import known_by
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import api_keys, facts, members, users


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


def with_address(tx: Tx, email: str) -> str:
    """The id of the person with this address, whom the terminal vouches for. Raises: NotFound."""
    user_id = known_by(tx, email)
    if user_id is None:
        raise NotFound("Nobody with this address is known here", email)
    return user_id


_loops_of = select(func.count()).where(members.c.user_id == users.c.id, members.c.status == "active").scalar_subquery()


def listed(tx: Tx, first_person: str) -> list[KnownPerson]:
    """Everybody who can sign in, and the service's owner."""
    known = users.c.email.is_not(None) | (users.c.id == first_person)
    query = select(users, _loops_of.label("loops")).where(known).order_by(users.c.created_at, users.c.id)
    return [
        KnownPerson(
            user_id=row.id, name=row.name, email=row.email, loops=row.loops,
            has_password=row.password_hash is not None, is_owner=row.id == first_person,
        )
        for row in tx.connection.execute(query)
    ]  # fmt: skip


def anybody(tx: Tx) -> bool:
    """Whether anybody has an address to sign in with."""
    return tx.connection.execute(select(users.c.id).where(users.c.email.is_not(None)).limit(1)).first() is not None


def make_first(tx: Tx, first_person: str, name: str, email: str) -> None:
    """Give the service's owner a name and an address. Raises: Conflict for an address that is another's."""
    known = tx.connection.execute(select(users.c.id).where(users.c.email == email)).scalar()
    if known is not None and known != first_person:
        raise Conflict("This address belongs to somebody else here", email)
    tx.connection.execute(update(users).where(users.c.id == first_person).values(name=name, email=email))


def address_of(tx: Tx, user_id: str) -> str | None:
    """A person's e-mail address, where they have one."""
    return tx.connection.execute(select(users.c.email).where(users.c.id == user_id)).scalar()


def rename(tx: Tx, user_id: str, name: str) -> None:
    """Call a person by another name."""
    tx.connection.execute(update(users).where(users.c.id == user_id).values(name=name))


def server_secret(tx: Tx) -> bytes:
    """The secret that every process of one database shares; form tokens are made with it."""
    known = tx.connection.execute(select(facts.c.value).where(facts.c.name == "server_secret")).scalar()
    if known is None:
        known = secrets.token_hex(32)
        tx.connection.execute(insert(facts), {"name": "server_secret", "value": known})
    return bytes.fromhex(known)
