"""An answer that can be taken back for some seconds, where a loop's people want that (H28).

It counts from the click and blocks everything else: expiry, change, withdrawal, claims and other answers. Until it is
final nobody but its person learns of it: the request stays open to the agent, the log and the webhooks, and whoever
wants to change it meanwhile is told that a person is answering it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, select, update

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.errors import Conflict
from hitl_mcp.service import rows
from hitl_mcp.service.actors import Person
from hitl_mcp.service.clock import moment
from hitl_mcp.service.lifecycle.given import COMPLETED, Given
from hitl_mcp.service.lifecycle.guards import AT_REVISION, FREE_FOR_ME, LIVE, too_late
from hitl_mcp.service.lifecycle.record import note
from hitl_mcp.service.membership import MINE_TO_ANSWER
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import loops, requests

BATCH = 100

_seconds = select(loops.c.undo_seconds).where(loops.c.id == bindparam("loop_id"))
_hold = (
    update(requests)
    .where(*LIVE, FREE_FOR_ME, AT_REVISION, MINE_TO_ANSWER)
    .values(held_until=bindparam("until"), held_answer=bindparam("held"))
    .returning(requests.c.id)
)
_still_held = (requests.c.id == bindparam("request_id"), rows.IS_OPEN, requests.c.held_answer == bindparam("held"))
_undo = (
    update(requests)
    .where(*_still_held, requests.c.held_until > bindparam("now"))
    .values(held_until=None, held_answer=None)
    .returning(requests.c.id)
)
_over = (
    select(requests.c.id, requests.c.held_answer)
    .where(rows.IS_OPEN, requests.c.held_until <= bindparam("now"))
    .limit(BATCH)
)
_finish = (
    update(requests)
    .where(*_still_held, requests.c.held_until <= bindparam("now"))
    .values(**COMPLETED)
    .returning(requests.c.seq)
)
_nearest = select(func.min(requests.c.held_until)).where(requests.c.held_until.is_not(None))


@dataclass(frozen=True, slots=True)
class Held:
    """A person's own answer while it can be taken back.

    Attributes:
        until: when it becomes final.
    """

    given: Given
    until: datetime


def seconds_in(tx: Tx, loop_id: str) -> int:
    """How long answers are held in a loop; 0 where they are final at once."""
    return tx.connection.execute(_seconds, {"loop_id": loop_id}).scalar() or 0


def hold(tx: Tx, person: Person, request_id: str, given: Given, seconds: int, deadline: int) -> int:
    """Keep an answer until it is final; returns when, in milliseconds since 1970: at the deadline at the latest.

    Raises: Conflict, NotAllowed, NotFound, as deciding does.
    """
    until = min(tx.now + 1000 * seconds, deadline)
    values = {
        "request_id": request_id, "now": tx.now, "user_id": person.user_id, "seen": given.revision, "until": until,
        "held": given.text,
    }  # fmt: skip
    if tx.connection.execute(_hold, values).first() is None:
        too_late(tx, person, request_id, given.revision)
    return until


def undo(tx: Tx, person: Person, request_id: str) -> ReviewRequest:
    """Take one's own answer back while that is possible. Raises: Conflict, NotFound."""
    row = rows.columns_for(tx, person, request_id)
    held = row["held_answer"]
    mine = held is not None and Given.read(held).by == person.user_id
    if mine and tx.connection.execute(_undo, {"request_id": request_id, "now": tx.now, "held": held}).first():
        return rows.find_view(tx, request_id)
    if held is None and rows.is_open(row, tx.now):
        raise Conflict("There is no answer to take back: the request is open", {"status": row["status"]})
    if mine:
        raise Conflict("Your answer is final by now; it can no longer be taken back", {"status": row["status"]})
    too_late(tx, person, request_id, None)


def held_by(tx: Tx, person: Person, request_id: str) -> Held | None:
    """This person's answer to a request, while it can be taken back. Raises: NotFound."""
    row = rows.columns_for(tx, person, request_id)
    if row["held_answer"] is None or not rows.is_open(row, tx.now):
        return None
    given = Given.read(row["held_answer"])
    return Held(given, moment(row["held_until"])) if given.by == person.user_id else None


def refuse_while_held(row: rows.Columns) -> None:
    """Raises: Conflict, in words for an agent that wants to change or withdraw the request."""
    if row["held_until"] is not None and row["status"] in rows.OPEN_STATES:
        raise Conflict(
            "A person is answering this request right now, so it cannot be changed or withdrawn. Read it again in a "
            "few seconds",
            {"status": row["status"]},
        )


def finish_due(tx: Tx) -> int:
    """Make up to 100 answers final whose time to be taken back is over; returns how many."""
    over = tx.connection.execute(_over, {"now": tx.now}).all()
    return sum(_finish_one(tx, row.id, row.held_answer) for row in over)


def _finish_one(tx: Tx, request_id: str, held: str) -> bool:
    given = Given.read(held)
    values = {"request_id": request_id, "now": tx.now, "held": held, **given.columns}
    seq = tx.connection.execute(_finish, values).scalar()
    if seq is not None:
        note(tx, request_id, seq, "completed", given.actor, given.data)
    return seq is not None


def nearest(tx: Tx) -> int | None:
    """When the next answer becomes final, in milliseconds since 1970."""
    return tx.connection.execute(_nearest).scalar()
