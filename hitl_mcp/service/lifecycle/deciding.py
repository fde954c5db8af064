"""What a reviewer does, and what time does: claim, release, decide, expire.

Each is one guarded update. Where it changes no row, `_too_late` reads in the same transaction why.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from sqlalchemy import bindparam, or_, select, update

from hitl_mcp.contract.answers import ResponseType, check_answer, read_config
from hitl_mcp.contract.models import NewAnswer, ReviewRequest
from hitl_mcp.contract.states import Assurance, Channel
from hitl_mcp.contract.text import canonical
from hitl_mcp.errors import AnswerRejected, BadRequest, Conflict
from hitl_mcp.service import rows
from hitl_mcp.service.actors import SYSTEM, Agent, Person
from hitl_mcp.service.lifecycle import client_answers
from hitl_mcp.service.lifecycle.record import note
from hitl_mcp.service.membership import MINE_TO_ANSWER
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import events, requests

CLAIM_MS = 15 * 60_000
EXPIRE_BATCH = 100

_live = (
    requests.c.id == bindparam("request_id"),
    rows.IS_OPEN,
    requests.c.timeout_at > bindparam("now"),  # equal goes to the timeout (H22)
)
_free_for_me = or_(
    requests.c.claimed_by.is_(None),
    requests.c.claimed_by == bindparam("user_id"),
    requests.c.claim_expires_at <= bindparam("now"),
)
_at_revision = requests.c.revision == bindparam("seen")
_unclaimed: dict[str, Any] = {"claimed_by": None, "claimed_at": None, "claim_expires_at": None}
_step: dict[str, Any] = {"seq": requests.c.seq + 1, "updated_at": bindparam("now")}

# who answers is an active member of the loop where the answer is written, not only where it was read (H10)
_decide = (
    update(requests)
    .where(*_live, _free_for_me, _at_revision, MINE_TO_ANSWER)
    .values(
        status="completed", response_by=bindparam("user_id"), response_at=bindparam("now"),
        decided_revision=bindparam("seen"), response_data=bindparam("answer"), response_comment=bindparam("comment"),
        response_channel=bindparam("channel"), response_assurance=bindparam("assurance"), **_unclaimed, **_step,
    )
    .returning(requests.c.seq)
)  # fmt: skip
_claim = (
    update(requests)
    .where(*_live, _free_for_me, MINE_TO_ANSWER)
    .values(
        status="claimed", claimed_by=bindparam("user_id"), claimed_at=bindparam("now"),
        claim_expires_at=bindparam("until"), **_step,
    )
    .returning(requests.c.seq)
)  # fmt: skip
_release = (
    update(requests)
    .where(*_live, requests.c.status == "claimed", requests.c.claimed_by == bindparam("user_id"), MINE_TO_ANSWER)
    .values(status="pending", **_unclaimed, **_step)
    .returning(requests.c.seq)
)
_due = select(requests.c.id).where(rows.IS_OPEN, requests.c.timeout_at <= bindparam("now")).limit(EXPIRE_BATCH)
_expire = (
    update(requests)
    .where(
        requests.c.id == bindparam("request_id"),
        rows.IS_OPEN,
        requests.c.timeout_at <= bindparam("now"),
    )
    .values(status="timeout", **_unclaimed, **_step)
    .returning(requests.c.seq)
)  # fmt: skip
_nearest = select(requests.c.timeout_at).where(rows.IS_OPEN).order_by(requests.c.timeout_at).limit(1)


def decide(tx: Tx, person: Person, request_id: str, answer: NewAnswer) -> ReviewRequest:
    """Close a request with a person's answer to the revision that was on the screen.

    Raises: BadRequest when the answer does not fit, Conflict when somebody was first, it expired, is claimed by
        another, or changed since it was shown; NotFound.
    """
    return _decided(tx, person, person.actor, request_id, answer)


def decide_in_client(tx: Tx, agent: Agent, request_id: str, answer: NewAnswer, *, by_default: bool) -> ReviewRequest:
    """Close a key's own request with what its client says its user answered: the one exception to D10 (H7).

    Args:
        by_default: whether this kind of service takes such answers where a loop's people have not said.

    Raises: as `decide`; NotAllowed for another key's request, and where such answers are not taken.
    """
    asked = rows.find_own(tx, agent, request_id)
    client_answers.check(tx, asked.loop_id, asked.priority, by_default=by_default)
    behind = Person(agent.user_id, agent.client or "", Channel.CLIENT, Assurance.CLIENT_ASSERTED)
    return _decided(tx, behind, agent.actor, request_id, answer)


def _decided(tx: Tx, person: Person, actor: str, request_id: str, answer: NewAnswer) -> ReviewRequest:
    row = rows.columns_for(tx, person, request_id)
    if not rows.is_open(row, tx.now) or row["revision"] != answer.revision:
        _too_late(tx, person, request_id, answer.revision)
    config = read_config(ResponseType(row["response_type"]), json.loads(row["response_config"]))
    try:
        value = check_answer(config, answer.response_data)
    except AnswerRejected as fault:
        raise BadRequest("Invalid response", {"field": fault.field, "issue": fault.reason}) from None
    values = {
        "request_id": request_id,
        "now": tx.now,
        "user_id": person.user_id,
        "seen": answer.revision,
        "answer": canonical(value),
        "comment": answer.comment or None,
        "channel": person.channel.value,
        "assurance": person.assurance.value,
    }
    seq = tx.connection.execute(_decide, values).scalar()
    if seq is None:
        _too_late(tx, person, request_id, answer.revision)
    data = {
        "response_data": value,
        "comment": answer.comment,
        "revision": answer.revision,
        "view_digest": row["view_digest"],
        "channel": person.channel.value,
        "assurance": person.assurance.value,
    }
    note(tx, request_id, seq, "completed", actor, data)
    return rows.find_view(tx, request_id)


def claim(tx: Tx, person: Person, request_id: str) -> ReviewRequest:
    """Take a request for a while, so that others see who is on it. Raises: Conflict, NotFound."""
    values = {"request_id": request_id, "now": tx.now, "user_id": person.user_id, "until": tx.now + CLAIM_MS}
    seq = tx.connection.execute(_claim, values).scalar()
    if seq is None:
        _too_late(tx, person, request_id, None)
    note(tx, request_id, seq, "claimed", person.actor, {"until": tx.now + CLAIM_MS})
    return rows.find_view(tx, request_id)


def release(tx: Tx, person: Person, request_id: str) -> ReviewRequest:
    """Give a claimed request back. Raises: Conflict, NotFound."""
    seq = tx.connection.execute(_release, {"request_id": request_id, "now": tx.now, "user_id": person.user_id}).scalar()
    if seq is None:
        _too_late(tx, person, request_id, None)
    note(tx, request_id, seq, "released", person.actor, {})
    return rows.find_view(tx, request_id)


def expire_due(tx: Tx) -> int:
    """Close up to 100 overdue requests; returns how many. Any number of processes may try."""
    due = tx.connection.execute(_due, {"now": tx.now}).scalars().all()
    return sum(expire(tx, request_id) for request_id in due)


def expire(tx: Tx, request_id: str) -> bool:
    """Close one request if it is overdue; returns whether this call did."""
    seq = tx.connection.execute(_expire, {"request_id": request_id, "now": tx.now}).scalar()
    if seq is not None:
        note(tx, request_id, seq, "timeout", SYSTEM, {})
    return seq is not None


def nearest_deadline(tx: Tx) -> int | None:
    """When the next open request is due, in milliseconds since 1970."""
    return tx.connection.execute(_nearest).scalar()


def _too_late(tx: Tx, person: Person, request_id: str, seen: int | None) -> NoReturn:
    request = rows.find_for(tx, person, request_id)
    who = request.response_by_user
    if who is not None and request.response_at is not None:
        raise Conflict(
            f"Already decided by {who.name} at {request.response_at:%Y-%m-%d %H:%M:%S} UTC",
            {"status": request.status.value, "by": who.name, "at": request.response_at.isoformat()},
        )
    if not request.status.is_open:
        words = {"timeout": "Its deadline has passed", "cancelled": "The agent has withdrawn it"}
        raise Conflict(f"{words[request.status.value]}; it can no longer be answered", {"status": request.status.value})
    if seen is not None and request.revision != seen:
        raise Conflict(
            "The request was changed after you opened it. Read it again before you decide",
            {"revision": request.revision, "seen": seen, "changes": _changes_since(tx, request_id, seen)},
        )
    other = request.claimed_by_user
    name = other.name if other is not None else "nobody"
    raise Conflict(f"Claimed by {name} right now" if other else "It is not claimed by you", {"claimed_by": name})


def _changes_since(tx: Tx, request_id: str, seen: int) -> list[dict[str, Any]]:
    changed = (
        select(events.c.data)
        .where(events.c.request_id == request_id, events.c.type == "changed")
        .order_by(events.c.seq)
    )
    entries = [json.loads(data) for data in tx.connection.execute(changed).scalars()]
    return [entry for entry in entries if entry["revision"] > seen]
