"""What a reviewer does, and what time does: claim, release, decide, expire.

Each is one guarded update. Where it changes no row, `guards.too_late` reads in the same transaction why.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from sqlalchemy import bindparam, select, update

from hitl_mcp.contract.answers import ResponseType, check_answer, read_config
from hitl_mcp.contract.models import NewAnswer, ReviewRequest
from hitl_mcp.contract.states import Assurance, Channel
from hitl_mcp.errors import AnswerRejected, BadRequest
from hitl_mcp.service import rows
from hitl_mcp.service.actors import SYSTEM, Agent, Person
from hitl_mcp.service.lifecycle import client_answers, escalating, holding
from hitl_mcp.service.lifecycle.given import COMPLETED, Given
from hitl_mcp.service.lifecycle.guards import AT_REVISION, FREE_FOR_ME, LIVE, NOT_HELD, STEP, UNCLAIMED, too_late
from hitl_mcp.service.lifecycle.record import note
from hitl_mcp.service.membership import MINE_TO_ANSWER
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import requests

CLAIM_MS = 15 * 60_000
EXPIRE_BATCH = 100

# who answers is an active member of the loop where the answer is written, not only where it was read (H10)
_decide = (
    update(requests)
    .where(*LIVE, FREE_FOR_ME, AT_REVISION, MINE_TO_ANSWER)
    .values(**COMPLETED)
    .returning(requests.c.seq)
)
_claim = (
    update(requests)
    .where(*LIVE, FREE_FOR_ME, MINE_TO_ANSWER)
    .values(
        status="claimed", claimed_by=bindparam("user_id"), claimed_at=bindparam("now"),
        claim_expires_at=bindparam("until"), **STEP,
    )
    .returning(requests.c.seq)
)  # fmt: skip
_give_back = (
    update(requests)
    .where(*LIVE, requests.c.status == "claimed", requests.c.claimed_by == bindparam("user_id"))
    .values(status="pending", **UNCLAIMED, **STEP)
    .returning(requests.c.seq)
)
_release = _give_back.where(MINE_TO_ANSWER)
_claimed_by = select(requests.c.id).where(
    requests.c.loop_id == bindparam("loop_id"),
    requests.c.status == "claimed",
    requests.c.claimed_by == bindparam("user_id"),
)
_due = (
    select(requests.c.id).where(rows.IS_OPEN, requests.c.timeout_at <= bindparam("now"), NOT_HELD).limit(EXPIRE_BATCH)
)
_expire = (
    update(requests)
    .where(
        requests.c.id == bindparam("request_id"),
        rows.IS_OPEN,
        requests.c.timeout_at <= bindparam("now"),
        NOT_HELD,
    )
    .values(status="timeout", **UNCLAIMED, **STEP)
    .returning(requests.c.seq)
)  # fmt: skip
_nearest = select(requests.c.timeout_at).where(rows.IS_OPEN).order_by(requests.c.timeout_at).limit(1)


class Decided(NamedTuple):
    """What became of an answer.

    Attributes:
        request: as everybody sees it now; open while the answer is held.
        held_until: until when its person can take it back, in milliseconds since 1970; None: it is final.
        escalated: it stands for a step on the loop's ladder, so it was taken and nothing was answered.
    """

    request: ReviewRequest
    held_until: int | None = None
    escalated: bool = False


def decide(tx: Tx, person: Person, request_id: str, answer: NewAnswer) -> Decided:
    """Close a request with a person's answer to the revision that was on the screen; or hold it, where the loop does.

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
    return _decided(tx, behind, agent.actor, request_id, answer).request


def _decided(tx: Tx, person: Person, actor: str, request_id: str, answer: NewAnswer) -> Decided:
    row = rows.columns_for(tx, person, request_id)
    if not rows.is_open(row, tx.now) or row["revision"] != answer.revision:
        too_late(tx, person, request_id, answer.revision)
    config = read_config(ResponseType(row["response_type"]), json.loads(row["response_config"]))
    try:
        value = check_answer(config, answer.response_data)
    except AnswerRejected as fault:
        raise BadRequest("Invalid response", {"field": fault.field, "issue": fault.reason}) from None
    if escalating.by_option(tx, row, person, actor, value, answer.comment):
        return Decided(rows.find_view(tx, request_id), escalated=True)
    given = Given(
        value, answer.comment, person.user_id, actor, person.channel.value, person.assurance.value, answer.revision,
        row["view_digest"], tx.now,
    )  # fmt: skip
    by_hand = person.channel is not Channel.CLIENT  # what a client passes on, nobody could take back
    if by_hand and (seconds := holding.seconds_in(tx, row["loop_id"])):
        until = holding.hold(tx, person, request_id, given, seconds, row["timeout_at"])
        return Decided(rows.find_view(tx, request_id), until)
    values = {"request_id": request_id, "now": tx.now, "user_id": person.user_id, "seen": answer.revision}
    seq = tx.connection.execute(_decide, values | given.columns).scalar()
    if seq is None:
        too_late(tx, person, request_id, answer.revision)
    note(tx, request_id, seq, "completed", actor, given.data)
    return Decided(rows.find_view(tx, request_id))


def claim(tx: Tx, person: Person, request_id: str) -> ReviewRequest:
    """Take a request for a while, so that others see who is on it. Raises: Conflict, NotFound."""
    values = {"request_id": request_id, "now": tx.now, "user_id": person.user_id, "until": tx.now + CLAIM_MS}
    seq = tx.connection.execute(_claim, values).scalar()
    if seq is None:
        too_late(tx, person, request_id, None)
    note(tx, request_id, seq, "claimed", person.actor, {"until": tx.now + CLAIM_MS})
    return rows.find_view(tx, request_id)


def release(tx: Tx, person: Person, request_id: str) -> ReviewRequest:
    """Give a claimed request back. Raises: Conflict, NotFound."""
    seq = tx.connection.execute(_release, {"request_id": request_id, "now": tx.now, "user_id": person.user_id}).scalar()
    if seq is None:
        too_late(tx, person, request_id, None)
    note(tx, request_id, seq, "released", person.actor, {})
    return rows.find_view(tx, request_id)


def let_go_of_claims(tx: Tx, loop_id: str, user_id: str) -> None:
    """Give back what somebody had claimed in a loop for which they no longer answer."""
    held = tx.connection.execute(_claimed_by, {"loop_id": loop_id, "user_id": user_id}).scalars().all()
    for request_id in held:
        values = {"request_id": request_id, "now": tx.now, "user_id": user_id}
        seq = tx.connection.execute(_give_back, values).scalar()
        if seq is not None:
            note(tx, request_id, seq, "released", SYSTEM, {"claimed_by": user_id})


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
