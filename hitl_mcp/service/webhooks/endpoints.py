"""Registered endpoints: made, changed and removed by the key, or the person, that they belong to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, select, update

from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.webhooks import NewWebhook, Rotation, Webhook, WebhookChange
from hitl_mcp.errors import BadRequest, NotAllowed, NotFound
from hitl_mcp.service import keys
from hitl_mcp.service.actors import Agent, Person
from hitl_mcp.service.clock import maybe_moment, moment
from hitl_mcp.service.membership import is_member
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import endpoints, loops
from hitl_mcp.service.webhooks.receivers import disable, drop_waiting

MOST = 100
"""Endpoints of one person."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose endpoints are meant.

    Attributes:
        api_key_id: only those that this key made; None for every one of the person.
        loop_ids: the only loops the key reaches, or None.
    """

    user_id: str
    api_key_id: str | None = None
    loop_ids: frozenset[str] | None = None

    @classmethod
    def of(cls, caller: Agent | Person) -> Owner:
        """A key has its own endpoints only, a signed-in person has all of theirs."""
        if isinstance(caller, Agent):
            return cls(caller.user_id, caller.api_key_id, caller.loop_ids)
        return cls(caller.user_id)

    def holds(self) -> ColumnElement[bool]:
        """The condition that an endpoint is theirs."""
        mine = endpoints.c.user_id == self.user_id
        return mine if self.api_key_id is None else mine & (endpoints.c.api_key_id == self.api_key_id)


def create(tx: Tx, owner: Owner, new: NewWebhook) -> Webhook:
    """Register an endpoint; only this reply has its secret. Raises: NotFound, NotAllowed for its loop, BadRequest."""
    known = tx.connection.execute(select(endpoints.c.id).where(endpoints.c.user_id == owner.user_id)).all()
    if len(known) >= MOST:
        raise BadRequest("Too many webhooks", f"there are {MOST}; remove one that is not needed")
    _check_loop(tx, owner, new.loop_id)
    secret = new.secret or keys.new_webhook_secret()
    row = {
        "id": new_id(),
        "user_id": owner.user_id,
        "api_key_id": owner.api_key_id,
        "loop_id": new.loop_id,
        "url": new.url,
        "events": json.dumps(new.events),
        "description": new.description,
        "secret": secret,
        "enabled": int(new.enabled),
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    tx.connection.execute(insert(endpoints), row)
    return find(tx, owner, str(row["id"])).model_copy(update={"secret": secret})


def listed(tx: Tx, owner: Owner) -> list[Webhook]:
    """Every endpoint, oldest first; never a secret."""
    found = select(endpoints).where(owner.holds()).order_by(endpoints.c.created_at, endpoints.c.id)
    return [_shown(row, tx.now) for row in tx.connection.execute(found)]


def find(tx: Tx, owner: Owner, endpoint_id: str) -> Webhook:
    """One endpoint. Raises: NotFound, also for somebody else's."""
    row = tx.connection.execute(select(endpoints).where(endpoints.c.id == endpoint_id, owner.holds())).first()
    if row is None:
        raise NotFound("Webhook not found")
    return _shown(row, tx.now)


def change(tx: Tx, owner: Owner, endpoint_id: str, wanted: WebhookChange) -> Webhook:
    """Change what is given. Raises: NotFound, NotAllowed for its loop."""
    find(tx, owner, endpoint_id)
    given = wanted.model_dump(include=wanted.model_fields_set)
    if "loop_id" in given:
        _check_loop(tx, owner, wanted.loop_id)
    if wanted.events is not None:
        given["events"] = json.dumps(wanted.events)
    if wanted.enabled is False:
        disable(tx, endpoint_id, None)
    if wanted.enabled is not None:
        given |= {"enabled": int(wanted.enabled), "disabled_why": None, "failing_since": None}
    tx.connection.execute(update(endpoints).where(endpoints.c.id == endpoint_id).values(**given, updated_at=tx.now))
    return find(tx, owner, endpoint_id)


def rotate(tx: Tx, owner: Owner, endpoint_id: str, wanted: Rotation) -> Webhook:
    """A new secret, only in this reply; the former one signs too until the overlap ends. Raises: NotFound."""
    find(tx, owner, endpoint_id)
    secret = wanted.secret or keys.new_webhook_secret()
    until = tx.now + 1000 * wanted.overlap_seconds if wanted.overlap_seconds else None
    former = endpoints.c.secret if until is not None else None
    tx.connection.execute(
        update(endpoints)
        .where(endpoints.c.id == endpoint_id)
        .values(secret=secret, former_secret=former, former_until=until, updated_at=tx.now)
    )
    return find(tx, owner, endpoint_id).model_copy(update={"secret": secret})


def remove(tx: Tx, owner: Owner, endpoint_id: str) -> Webhook:
    """Forget an endpoint with its secrets; its deliveries stay in the record. Raises: NotFound."""
    removed = find(tx, owner, endpoint_id)
    drop_waiting(tx, endpoint_id)
    tx.connection.execute(delete(endpoints).where(endpoints.c.id == endpoint_id))
    return removed


def _check_loop(tx: Tx, owner: Owner, loop_id: str | None) -> None:
    if loop_id is None:
        return
    creator = tx.connection.execute(select(loops.c.creator_id).where(loops.c.id == loop_id)).scalar()
    if creator is None:
        raise NotFound("Loop not found")
    within = owner.loop_ids is None or loop_id in owner.loop_ids
    if not within or not (creator == owner.user_id or is_member(tx, loop_id, owner.user_id)):
        raise NotAllowed("Access denied to this loop")


def _shown(row: Row[Any], now: int) -> Webhook:
    former = row.former_until if (row.former_until or 0) > now else None
    return Webhook(
        id=row.id, url=row.url, events=json.loads(row.events), loop_id=row.loop_id, description=row.description,
        enabled=bool(row.enabled), disabled_why=row.disabled_why, failing_since=maybe_moment(row.failing_since),
        created_at=moment(row.created_at), updated_at=moment(row.updated_at),
        former_secret_until=maybe_moment(former),
    )  # fmt: skip
