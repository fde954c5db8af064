"""Where a delivery goes, what signs it, and what its outcome means for an endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import bindparam, select, update

from hitl_mcp.contract.webhooks import TEST_EVENT
from hitl_mcp.service import keys
from hitl_mcp.service.notify import owners
from hitl_mcp.service.outbox.base import Delivery, Outcome
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import api_keys, deliveries, endpoints, requests
from hitl_mcp.service.webhooks.fan_out import KIND, key_of

FAILING_MS = 3 * 24 * 3_600_000
"""An endpoint where nothing has arrived for so long is disabled."""
GONE = 410

_endpoint = select(endpoints).where(endpoints.c.id == bindparam("of"))
_callback = (
    select(requests.c.callback_url, api_keys.c.id, api_keys.c.callback_secret)
    .join(api_keys, api_keys.c.id == requests.c.api_key_id)
    .where(requests.c.id == bindparam("of"))
)
_works = (
    update(endpoints)
    .where(endpoints.c.id == bindparam("of"), endpoints.c.failing_since.is_not(None))
    .values(failing_since=None)
)
_fails = (
    update(endpoints)
    .where(endpoints.c.id == bindparam("of"), endpoints.c.failing_since.is_(None))
    .values(failing_since=bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where a delivery goes.

    Attributes:
        secret: signs; new ones of an endpoint first.
        former: signs too while a rotation's overlap lasts.
    """

    url: str
    secret: str = field(repr=False)
    former: str | None = field(default=None, repr=False)


def receiver_of(tx: Tx, delivery: Delivery) -> Receiver | None:
    """The receiver as it is now; None when it is not to be called any more."""
    if key_of(delivery.target) is not None:
        row = tx.connection.execute(_callback, {"of": delivery.request_id}).first()
        if row is None or row.callback_url is None or row.callback_secret is None:
            return None
        return Receiver(row.callback_url, row.callback_secret)
    row = tx.connection.execute(_endpoint, {"of": delivery.target}).first()
    if row is None or not (row.enabled or delivery.event == TEST_EVENT):
        return None
    overlaps = row.former_until is not None and row.former_until > tx.now
    return Receiver(row.url, row.secret, row.former_secret if overlaps else None)


def need_callback_secret(tx: Tx, delivery: Delivery) -> None:
    """Give a key from before there were callbacks its secret."""
    row = tx.connection.execute(_callback, {"of": delivery.request_id}).first()
    if row is not None and row.callback_secret is None:
        keys.renew_callback_secret(tx, row.id)


def note_outcome(tx: Tx, delivery: Delivery, outcome: Outcome) -> None:
    """Remember that an endpoint works, or fails; disable one that is gone or has failed for too long."""
    if key_of(delivery.target) is not None or delivery.event == TEST_EVENT:
        return
    if outcome.delivered:
        tx.connection.execute(_works, {"of": delivery.target})
        return
    tx.connection.execute(_fails, {"of": delivery.target, "now": tx.now})
    row = tx.connection.execute(_endpoint, {"of": delivery.target}).first()
    if row is None or not row.enabled:
        return
    why: str | None = None
    if outcome.status == GONE:
        why = "It answered 410 Gone: it wants no more events."
    elif tx.now - row.failing_since >= FAILING_MS:
        why = f"Nothing has arrived there for three days. Last: {outcome.excerpt}"[:500]
    if why is not None and disable(tx, delivery.target, why):
        owners.tell(tx, row.id, row.user_id)


def disable(tx: Tx, endpoint_id: str, why: str | None) -> bool:
    """Send no more to an endpoint; what waits for it is dropped, and can be redelivered.

    Args:
        why: shown to its owner; None when the owner does it.

    Returns: whether it was enabled until now.
    """
    disabled = (
        update(endpoints)
        .where(endpoints.c.id == endpoint_id, endpoints.c.enabled == 1)
        .values(enabled=0, disabled_why=why, updated_at=tx.now)
    )
    was_enabled = tx.connection.execute(disabled).rowcount == 1
    drop_waiting(tx, endpoint_id)
    return was_enabled


def drop_waiting(tx: Tx, target: str) -> None:
    """What waits for a target is not sent any more."""
    tx.connection.execute(
        update(deliveries)
        .where(deliveries.c.target == target, deliveries.c.kind == KIND, deliveries.c.state == "waiting")
        .values(state="dropped", due_at=None, lease_until=None, done_at=tx.now)
    )
