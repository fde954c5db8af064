"""Which people are told of a request, and that they are: one message to each channel, in the request's transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from sqlalchemy import bindparam, select

from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.text import canonical
from hitl_mcp.service.membership import ANSWERS
from hitl_mcp.service.notify.quiet import BREAKS_QUIET, NEVER, quiet_till, reaches, zone_of
from hitl_mcp.service.outbox import queue
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import channels, members, requests, users

Reason = Literal["created", "reminder", "escalated", "reassigned", "answered_back"]
"""Why a person is told: a new request, one near its deadline, one that climbed its ladder or was handed to them, or one
whose agent has answered a question of theirs."""

MESSAGE = "message"
"""The kind of delivery that a person's channel is sent."""

_answering = (
    members.c.loop_id == bindparam("loop_id"),
    ANSWERS,
)
_audience = (
    select(
        channels.c.id, channels.c.user_id, members.c.notify_from, users.c.time_zone, users.c.quiet_from,
        users.c.quiet_until, users.c.breaks_quiet, users.c.reminders,
    )
    .join(members, members.c.user_id == channels.c.user_id)
    .join(users, users.c.id == channels.c.user_id)
    .where(*_answering, channels.c.enabled == 1)
    .order_by(channels.c.user_id, channels.c.created_at, channels.c.id)
)  # fmt: skip
_request = select(requests.c.priority, requests.c.timeout_at).where(requests.c.id == bindparam("request_id"))


def tell(
    tx: Tx,
    request_id: str,
    loop_id: str,
    reason: Reason,
    only: Collection[str] | None = None,
    besides: Collection[str] = (),
) -> int:
    """Have a request's people told; returns how many of them a message is on its way to now.

    Who is in quiet hours is told when they end, if the request is still open then, and is not counted.

    Args:
        only: the ids of those to tell, whatever least priority they asked for; None for every member who answers for
            the loop.
        besides: channels of theirs that are told in any case, at any hour.
    """
    audience = tx.connection.execute(_audience, {"loop_id": loop_id}).all()
    if not audience:
        return 0
    request = tx.connection.execute(_request, {"request_id": request_id}).one()
    told: set[str] = set()
    for one in audience:
        chosen = one.id in besides
        if not chosen and not _is_meant(one, request.priority, reason, only):
            continue
        later = None if chosen else held_till(one, request.priority, tx.now)
        if later is not None and later >= request.timeout_at:
            continue
        queue.put(
            tx, kind=MESSAGE, target=one.id, event_id=f"msg_{new_id()}", event=reason,
            body=canonical({"reason": reason, "user_id": one.user_id, "quiet": later is not None}),
            request_id=request_id, due_at=later, in_order=False,
        )  # fmt: skip
        if later is None:
            told.add(one.user_id)
    return len(told)


def reachable(tx: Tx, loop_id: str, priority: str) -> int:
    """How many people of a loop a message about a request of this priority would reach right now."""
    audience = tx.connection.execute(_audience, {"loop_id": loop_id})
    return len(
        {
            one.user_id
            for one in audience
            if _is_meant(one, priority, "created", None) and held_till(one, priority, tx.now) is None
        }
    )


def _is_meant(one: Any, priority: str, reason: Reason, only: Collection[str] | None) -> bool:
    if reason == "reminder" and one.reminders == 0:
        return False
    if only is not None:
        return one.user_id in only and one.notify_from != NEVER
    return reaches(priority, one.notify_from)


def held_till(one: Any, priority: str, now: int) -> int | None:
    """When the quiet hours end that hold back a message of this priority; None when none do.

    Args:
        one: has the person's `time_zone`, `quiet_from`, `quiet_until` and `breaks_quiet`.
        now: in milliseconds since 1970, as the result.
    """
    if reaches(priority, one.breaks_quiet or BREAKS_QUIET.value):
        return None
    return quiet_till(now, zone_of(one.time_zone), one.quiet_from, one.quiet_until)
