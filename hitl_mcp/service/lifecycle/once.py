"""The same question once, and no answer for another question (D12, H1, H2).

A key is bound to a digest of what is asked. Asked again it finds the same request while that is open, or decided and
not collected for at most an hour, or handed over less than two minutes ago; after that it is a new question.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select

from hitl_mcp.contract.models import NewRequest, ReviewRequest
from hitl_mcp.contract.text import digest
from hitl_mcp.errors import Conflict
from hitl_mcp.service import rows
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import events, once_keys

UNCOLLECTED_MS = 3_600_000
REPEAT_MS = 120_000

_mine = (once_keys.c.api_key_id == bindparam("agent_key"), once_keys.c.key == bindparam("once_key"))
_find = select(once_keys.c.digest, once_keys.c.request_id).where(*_mine)
_forget = delete(once_keys).where(*_mine, once_keys.c.request_id == bindparam("for_request"))
_insert = insert(once_keys)
_changes = select(events.c.type, events.c.data).where(
    events.c.request_id == bindparam("request_id"), events.c.type.in_(("changed", "answered_back"))
)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A request that the same question already made."""

    request: ReviewRequest
    repeat: bool


def asked_digest(loop_id: str, new: NewRequest) -> str:
    """What a person would decide on; waiting and progress are no part of it."""
    asked = new.model_dump(mode="json")
    for name in ("due_at", "review"):  # so that a question asked before there were these is the same one still
        if asked[name] is None:
            del asked[name]
    return digest({"loop_id": loop_id, **asked})


def earlier(tx: Tx, agent: Agent, key: str, asked: str) -> Earlier | None:
    """The request that this key still stands for; one it stands for no longer is let go of.

    Raises: Conflict when it was used for another question (H1).
    """
    kept = _kept(agent, key)
    found = tx.connection.execute(_find, {"agent_key": agent.api_key_id, "once_key": kept}).first()
    if found is None:
        return None
    row = rows.find(tx, found.request_id)
    request = rows.view(row, tx.now)
    if found.digest != asked or (row["revision"] != 1 and _asks_otherwise(tx, request.id)):
        raise Conflict(
            "This idempotency key was used for a different question. Use a new key for a new question",
            {"request_id": request.id, "status": request.status.value},
        )
    if request.status.is_open:
        return Earlier(request, repeat=False)
    delivered = row["first_delivered_at"]
    repeat, since, span = delivered is not None, delivered, REPEAT_MS
    if delivered is None:
        since, span = _closed_at(row), UNCOLLECTED_MS
    if _within(span, tx.now, since):
        return Earlier(request, repeat=repeat)
    # only this one: where units run side by side, another may have let the key stand for a newer one meanwhile
    tx.connection.execute(_forget, {"agent_key": agent.api_key_id, "once_key": kept, "for_request": found.request_id})
    return None


def remember(tx: Tx, agent: Agent, key: str, asked: str, request_id: str) -> None:
    """Let the key stand for a new request. Of two that do so at once one fails on the key, runs again, and finds it."""
    entry = {"api_key_id": agent.api_key_id, "key": _kept(agent, key), "digest": asked, "request_id": request_id}
    tx.connection.execute(_insert, entry)


def _kept(agent: Agent, key: str) -> str:
    """As it is kept: visitors of a page, with tokens of one key, must not find each other's requests by a guess."""
    return key if agent.token is None else digest([agent.token, key])


def _asks_otherwise(tx: Tx, request_id: str) -> bool:
    """Whether its agent has made it another question than the one asked.

    That it climbed a ladder, or that a reviewer's question was answered, does not.
    """
    for row in tx.connection.execute(_changes, {"request_id": request_id}):
        if row.type == "changed" or json.loads(row.data)["after"].keys() - {"view_digest"}:
            return True
    return False


def _within(span: int, now: int, then: int) -> bool:
    """Also when the clock was set back: in doubt a person is asked twice, nothing is approved twice (H2, H22)."""
    return abs(now - then) < span


def _closed_at(row: rows.Columns) -> int:
    return next(at for at in (row["response_at"], row["cancelled_at"], row["timeout_at"]) if at is not None)
