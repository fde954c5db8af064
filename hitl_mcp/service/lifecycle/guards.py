"""What every act of a reviewer is guarded by, and why one was refused."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from sqlalchemy import bindparam, or_, select

from hitl_mcp.errors import Conflict, NotAllowed
from hitl_mcp.service import rows
from hitl_mcp.service.actors import Person
from hitl_mcp.service.clock import moment
from hitl_mcp.service.lifecycle.record import REVISING
from hitl_mcp.service.membership import answers_in
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import events, requests

NOT_HELD = requests.c.held_until.is_(None)
"""Nobody's answer waits for its time to be taken back to pass (H28)."""

LIVE = (
    requests.c.id == bindparam("request_id"),
    rows.IS_OPEN,
    requests.c.timeout_at > bindparam("now"),  # equal goes to the timeout (H22)
    NOT_HELD,
)
FREE_FOR_ME = or_(
    requests.c.claimed_by.is_(None),
    requests.c.claimed_by == bindparam("user_id"),
    requests.c.claim_expires_at <= bindparam("now"),
)
AT_REVISION = requests.c.revision == bindparam("seen")
UNCLAIMED: dict[str, Any] = {"claimed_by": None, "claimed_at": None, "claim_expires_at": None}
STEP: dict[str, Any] = {"seq": requests.c.seq + 1, "updated_at": bindparam("now")}

_changes = (
    select(events.c.data)
    .where(events.c.request_id == bindparam("request_id"), events.c.type.in_(REVISING))
    .order_by(events.c.seq)
)


def too_late(tx: Tx, person: Person, request_id: str, seen: int | None) -> NoReturn:
    """Say why an act changed nothing; read in the act's own transaction.

    Args:
        seen: the revision that was on the screen, where the act was bound to one.

    Raises: Conflict, NotAllowed for who only looks on, NotFound.
    """
    row = rows.columns_for(tx, person, request_id)
    request = rows.view(row, tx.now)
    who = request.response_by_user
    if who is not None and request.response_at is not None:
        raise Conflict(
            f"Already decided by {who.name} at {request.response_at:%Y-%m-%d %H:%M:%S} UTC",
            {"status": request.status.value, "by": who.name, "at": request.response_at.isoformat()},
        )
    if not request.status.is_open:
        words = {"timeout": "Its deadline has passed", "cancelled": "The agent has withdrawn it"}
        raise Conflict(f"{words[request.status.value]}; it can no longer be answered", {"status": request.status.value})
    if row["held_until"] is not None:
        until = moment(row["held_until"])
        raise Conflict(
            f"It has just been answered. Until {until:%H:%M:%S} UTC that answer can still be taken back",
            {"until": until.isoformat()},
        )
    if not answers_in(tx, row["loop_id"], person.user_id):
        raise NotAllowed("You look on in this loop and do not answer for it. An owner of the loop can change that")
    if seen is not None and request.revision != seen:
        raise Conflict(
            "The request was changed after you opened it. Read it again before you decide",
            {"revision": request.revision, "seen": seen, "changes": _changes_since(tx, request_id, seen)},
        )
    other = request.claimed_by_user
    name = other.name if other is not None else "nobody"
    raise Conflict(f"Claimed by {name} right now" if other else "It is not claimed by you", {"claimed_by": name})


def _changes_since(tx: Tx, request_id: str, seen: int) -> list[dict[str, Any]]:
    entries = [json.loads(data) for data in tx.connection.execute(_changes, {"request_id": request_id}).scalars()]
    return [entry for entry in entries if entry["revision"] > seen]
