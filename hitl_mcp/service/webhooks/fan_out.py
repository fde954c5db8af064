"""From an event to the deliveries it causes: one for each endpoint that wants it, in the event's own transaction.

An endpoint is told of what its person's keys ask, within its own loop, the limit of the key that registered it, and for
as long as that key lives. A request's `callback_url` is told once how it ended.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import and_, bindparam, exists, or_, select

from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.teams import Scope
from hitl_mcp.contract.webhooks import CLOSING_EVENTS, matches, names_reviews
from hitl_mcp.service import rows
from hitl_mcp.service.outbox import queue
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import api_keys, endpoints, events, loops, requests
from hitl_mcp.service.webhooks import body

KIND = "webhook"
"""Of a delivery in the outbox."""
_NAMES = {
    "created": "created", "changed": "updated", "claimed": "claimed", "released": "released",
    "completed": "completed", "timeout": "timeout", "cancelled": "cancelled", "escalated": "escalated",
    "feedback": "feedback",
}  # fmt: skip
"""The log's words, and the events' own; other entries are nobody's business but the log's."""

WANTED = or_(
    exists().where(endpoints.c.enabled == 1),
    and_(
        events.c.type.in_(CLOSING_EVENTS),
        exists(
            select(requests.c.id)
            .where(requests.c.id == events.c.request_id, requests.c.callback_url.is_not(None))
            .correlate(events)
        ),
    ),
).label("wanted")
"""Whether anybody could want an entry that is being written: read with it, so that it costs no statement of its own."""

_limits = (
    endpoints.c.enabled == 1,
    or_(endpoints.c.loop_id.is_(None), endpoints.c.loop_id == bindparam("of_loop")),
    or_(endpoints.c.api_key_id.is_(None), api_keys.c.revoked_at.is_(None)),
)
_told = select(endpoints.c.id, endpoints.c.events, api_keys.c.loop_ids, api_keys.c.scopes).select_from(
    endpoints.outerjoin(api_keys, api_keys.c.id == endpoints.c.api_key_id)
)
_of_person = _told.where(endpoints.c.user_id == bindparam("of_person"), *_limits).order_by(endpoints.c.id)
_loop = select(loops.c.id, loops.c.name, loops.c.creator_id).where(loops.c.id == bindparam("of_loop"))


def of_request(tx: Tx, request_id: str, seq: int, kind: str, data: dict[str, Any]) -> None:
    """Have whoever subscribed told of an entry of a request's log.

    Args:
        kind: the entry's type, such as `created` or `completed`.
        data: what the entry says.
    """
    name = _NAMES.get(kind)
    if name is None:
        return
    row = rows.find(tx, request_id)
    born_as_review = row["review"] is not None
    wanted: list[tuple[str, str]] = []
    for endpoint in _subscribed(tx, row["creator_id"], row["loop_id"]):
        patterns = json.loads(endpoint.events)
        if matches(patterns, f"request.{name}"):
            wanted.append((endpoint.id, f"request.{name}"))
        if (born_as_review or names_reviews(patterns)) and matches(patterns, f"review.{name}"):
            wanted.append((endpoint.id, f"review.{name}"))
    if kind in CLOSING_EVENTS and row["callback_url"] is not None:
        said = "review" if born_as_review else "request"
        wanted.append((callback_target(row["api_key_id"], row["callback_url"]), f"{said}.{name}"))
    if not wanted:
        return
    request = rows.view(row, tx.now)
    loop = dict(tx.connection.execute(_loop, {"of_loop": row["loop_id"]}).mappings().one())
    made: dict[str, str] = {}
    for target, event in wanted:
        event_id = f"evt_{request_id}_{seq}" + ("_review" if event.startswith("review.") else "")
        if event not in made:
            made[event] = body.of_request(event, event_id, tx.now, seq, request, loop, data)
        queue.put(
            tx, kind=KIND, target=target, event_id=event_id, event=event, body=made[event], request_id=request_id,
            seq=seq,
        )  # fmt: skip


def of_loop(tx: Tx, loop_id: str, event: str, data: dict[str, Any]) -> None:
    """Have whoever subscribed told of something that happened to a loop itself.

    Args:
        event: such as `loop.member_joined`.
        data: the member: `user_id`, `name`, `email`, `role`.
    """
    found = tx.connection.execute(_loop, {"of_loop": loop_id}).mappings().first()
    if found is None:
        return
    loop = dict(found)
    event_id = f"evt_{new_id()}"
    for endpoint in _subscribed(tx, loop["creator_id"], loop_id):
        if matches(json.loads(endpoint.events), event) and _may_know_members(endpoint):
            text = body.of_loop(event, event_id, tx.now, loop, data)
            queue.put(tx, kind=KIND, target=endpoint.id, event_id=event_id, event=event, body=text)


def _subscribed(tx: Tx, user_id: str, loop_id: str) -> list[Any]:
    found = tx.connection.execute(_of_person, {"of_person": user_id, "of_loop": loop_id}).all()
    return [row for row in found if row.loop_ids is None or loop_id in json.loads(row.loop_ids)]


def _may_know_members(endpoint: Any) -> bool:
    """A key is told of people where it could list them; an endpoint without a key is a person's own."""
    return endpoint.scopes is None or Scope.LOOPS_READ.value in json.loads(endpoint.scopes)


def callback_target(api_key_id: str, url: str) -> str:
    """What the callbacks of one key to one host have in common: that host's speed delays no other's."""
    host = hashlib.sha256(urlsplit(url).netloc.lower().encode()).hexdigest()[:16]
    return f"{api_key_id}@{host}"


def key_of(target: str) -> str | None:
    """The API key of a callback's target; None for a registered endpoint."""
    key, at, _ = target.partition("@")
    return key if at else None
