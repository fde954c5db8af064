"""That whoever registered a webhook hears over their channels that nothing is sent there any more."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import bindparam, select

from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.states import Priority
from hitl_mcp.contract.text import canonical
from hitl_mcp.service.notify.people import MESSAGE, held_till
from hitl_mcp.service.outbox import queue
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import channels, endpoints, users

DISABLED = "webhook_disabled"
"""The reason of such a message; its delivery names no request."""

_channels = (
    select(channels.c.id, users.c.time_zone, users.c.quiet_from, users.c.quiet_until, users.c.breaks_quiet)
    .join(users, users.c.id == channels.c.user_id)
    .where(channels.c.user_id == bindparam("owner"), channels.c.enabled == 1)
    .order_by(channels.c.created_at, channels.c.id)
)
_owned = select(endpoints).where(endpoints.c.id == bindparam("endpoint_id"), endpoints.c.user_id == bindparam("owner"))


def tell(tx: Tx, endpoint_id: str, user_id: str) -> None:
    """Have an endpoint's owner told that it was disabled: at once, or when their quiet hours end."""
    body = canonical({"reason": DISABLED, "endpoint_id": endpoint_id})
    for channel in tx.connection.execute(_channels, {"owner": user_id}).all():
        queue.put(
            tx, kind=MESSAGE, target=channel.id, event_id=f"msg_{new_id()}", event=DISABLED, body=body,
            due_at=held_till(channel, Priority.MEDIUM, tx.now), in_order=False,
        )  # fmt: skip


def disabled(tx: Tx, body: str, user_id: str) -> Any | None:
    """The endpoint that a message is about; None once it works again, is removed, or is not this person's."""
    row = tx.connection.execute(_owned, {"endpoint_id": json.loads(body)["endpoint_id"], "owner": user_id}).first()
    return None if row is None or row.enabled or row.disabled_why is None else row
