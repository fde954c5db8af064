"""A request climbs its loop's ladder: because a reviewer says so, because time says so, or by an option's meaning.

A step is one guarded update with an event. What is seen changes with it (loop, priority, deadline), so it is a new
revision; a claim ends. Where a request goes is what people have set up, never what an agent says (H9, H10).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, select, update

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.states import Priority
from hitl_mcp.contract.text import canonical
from hitl_mcp.errors import Conflict
from hitl_mcp.service import ladders, loops, rows
from hitl_mcp.service.actors import SYSTEM, Person
from hitl_mcp.service.clock import moment
from hitl_mcp.service.lifecycle import climbing
from hitl_mcp.service.lifecycle.guards import AT_REVISION, FREE_FOR_ME, LIVE, STEP, UNCLAIMED, too_late
from hitl_mcp.service.lifecycle.record import note
from hitl_mcp.service.lifecycle.reminding import remind_at
from hitl_mcp.service.lifecycle.seen import view_digest
from hitl_mcp.service.membership import MINE_TO_ANSWER
from hitl_mcp.service.notify.people import tell
from hitl_mcp.service.similar import in_common
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import requests

BATCH = 100
RESCHEDULED_AT_ONCE = 1_000

_climb = (
    update(requests)
    .where(*LIVE, AT_REVISION, func.coalesce(requests.c.escalation_level, 0) == bindparam("level"))
    .values(
        loop_id=bindparam("to_loop"), priority=bindparam("to_priority"), timeout_at=bindparam("to_timeout"),
        revision=requests.c.revision + 1, view_digest=bindparam("to_digest"), similar=bindparam("to_similar"),
        status="pending", assigned_to=bindparam("to_person"), remind_at=bindparam("to_remind"),
        escalation=bindparam("state"), escalation_level=requests.c.escalation_level + 1,
        escalate_at=bindparam("then"), **UNCLAIMED, **STEP,
    )
    .returning(requests.c.seq)
)  # fmt: skip
_climb_by_person = _climb.where(FREE_FOR_ME, MINE_TO_ANSWER)
_due = select(requests.c.id).where(requests.c.escalate_at <= bindparam("now")).limit(BATCH)
_nearest = select(func.min(requests.c.escalate_at)).where(requests.c.escalate_at.is_not(None))
_move = (
    update(requests)
    .where(requests.c.id == bindparam("request_id"), requests.c.seq == bindparam("seen"))
    .values(escalate_at=bindparam("then"))
)
_open_in = (
    select(requests.c.id)
    .where(requests.c.loop_id == bindparam("loop_id"), rows.IS_OPEN)
    .order_by(requests.c.id)
    .limit(RESCHEDULED_AT_ONCE)
    .with_for_update()
)
_begin = (
    update(requests)
    .where(requests.c.id == bindparam("request_id"))
    .values(
        escalation=bindparam("state"), escalation_level=bindparam("level"), escalate_at=bindparam("then"),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a step is taken.

    Attributes:
        actor: as the event log writes it.
        person: who takes it; None where a rule does.
        rule: `time`, `nobody_reachable` or `option`; None where a person took it by hand.
    """

    actor: str
    person: Person | None = None
    rule: str | None = None
    reason: str = ""


def escalate(tx: Tx, person: Person, request_id: str, reason: str) -> ReviewRequest:
    """A reviewer takes the next step. Raises: Conflict, also where there is none; NotAllowed, NotFound."""
    row = rows.columns_for(tx, person, request_id)
    if not rows.is_open(row, tx.now) or row["held_until"] is not None:
        too_late(tx, person, request_id, None)
    if row["escalation"] is None:
        raise Conflict("This loop has no ladder to climb. An owner of the loop can set one up on its escalation page")
    if not _taken(tx, row, Cause(person.actor, person, reason=reason)):
        too_late(tx, person, request_id, row["revision"])
    return rows.find_view(tx, request_id)


def by_option(tx: Tx, row: rows.Columns, person: Person, actor: str, value: Any, comment: str) -> bool:
    """Take the next step where it is what this answer stands for; returns whether it was taken."""
    ladder = None if row["escalation"] is None else ladders.of_loop(tx, row["loop_id"])
    if ladder is None:
        return False
    found = climbing.next_step(ladder, climbing.state_of(row)["step"], row["priority"])
    if found is None or found.step.on_option is None or found.step.on_option != value:
        return False
    if climbing.goes_to(tx, row, found.step) is None:
        return False
    if not _taken(tx, row, Cause(actor, person, "option", comment)):
        too_late(tx, person, row["id"], row["revision"])
    return True


def _taken(tx: Tx, row: rows.Columns, cause: Cause) -> bool:
    """Take the next step; returns whether the guards let it through.

    Raises: Conflict, for a person, where no step is left or it leads nowhere.
    """
    ladder = ladders.of_loop(tx, row["loop_id"])
    state: dict[str, Any] = climbing.state_of(row)
    found = None if ladder is None else climbing.next_step(ladder, state["step"], row["priority"])
    to_loop = None if found is None else climbing.goes_to(tx, row, found.step)
    if to_loop is not None and to_loop != row["loop_id"] and not loops.keep_in_use(tx, to_loop):
        to_loop = None  # it was archived in this moment
    if ladder is None or found is None or to_loop is None:
        if cause.person is None:
            return False
        if found is None:
            raise Conflict("It is on the last step of its ladder already; there is nobody further to ask")
        raise Conflict("The next step leads to a loop that cannot take it now; an owner of this loop can change that")
    people = climbing.people_for(tx, to_loop, found.step)
    moved = to_loop != row["loop_id"]
    priority = climbing.raised(row["priority"], found.step)
    extended = climbing.extension(row, ladder, found.step)
    deadline = row["timeout_at"] + extended
    name = loops.named(tx, to_loop)
    taken: dict[str, Any] = {
        "level": state["level"] + 1, "at": moment(tx.now).isoformat(),
        "by": None if cause.person is None else cause.person.name, "rule": cause.rule, "reason": cause.reason or None,
        "from_loop": row["loop_id"], "to_loop": to_loop, "to_loop_name": name, "to_people": people,
        "priority": priority, "timeout_at": moment(deadline).isoformat(),
    }  # fmt: skip
    visited = [*state["visited"], to_loop] if moved else state["visited"]
    step = 0 if moved else found.place + 1
    state |= {
        "level": taken["level"], "of": taken["level"] + ladders.steps_from(tx, to_loop, step, visited), "step": step,
        "since": tx.now, "visited": visited, "extended_ms": state["extended_ms"] + extended,
        "steps": [*state["steps"], taken],
    }  # fmt: skip
    onward = ladders.of_loop(tx, to_loop)
    then = onward and climbing.due_at(tx, to_loop, onward, state, priority, deadline, told_anyhow=not moved)
    values = {
        "request_id": row["id"], "now": tx.now, "seen": row["revision"], "level": row["escalation_level"] or 0,
        "to_loop": to_loop, "to_priority": priority, "to_timeout": deadline,
        "to_digest": view_digest(to_loop, row["api_key_id"], row["user_agent"], row),
        "to_similar": in_common(to_loop, row["api_key_id"], row),
        "to_person": people[0] if len(people) == 1 else None if moved or people else row["assigned_to"],
        "to_remind": remind_at(tx.now, deadline, Priority(priority)) if moved or extended else row["remind_at"],
        "state": canonical(state), "then": then,
    }  # fmt: skip
    if cause.person is None:
        seq = tx.connection.execute(_climb, values).scalar()
    else:
        seq = tx.connection.execute(_climb_by_person, values | {"user_id": cause.person.user_id}).scalar()
    if seq is None:
        return False
    before = {
        "loop": loops.named(tx, row["loop_id"]), "priority": row["priority"],
        "timeout_at": moment(row["timeout_at"]).isoformat(),
    }  # fmt: skip
    after = {"loop": name, "priority": priority, "timeout_at": taken["timeout_at"]}
    different = [part for part in before if before[part] != after[part]]
    data = taken | {
        "of": state["of"], "revision": row["revision"] + 1,
        "before": {part: before[part] for part in different}, "after": {part: after[part] for part in different},
    }  # fmt: skip
    note(tx, row["id"], seq, "escalated", cause.actor, data)
    tell(tx, row["id"], to_loop, "escalated", only=people or None, besides=found.step.to_channels)
    return True


def escalate_due(tx: Tx) -> int:
    """Take up to 100 steps whose time has come; returns how many were dealt with. Any number of processes may try."""
    due = tx.connection.execute(_due, {"now": tx.now}).scalars().all()
    return sum(_dealt_with(tx, request_id) for request_id in due)


def _dealt_with(tx: Tx, request_id: str) -> bool:
    row = rows.find(tx, request_id)
    if row["held_until"] is not None and row["held_until"] > tx.now:
        return _moved(tx, row, row["held_until"])
    if not rows.is_open(row, tx.now) or row["escalation"] is None:
        return _moved(tx, row, None)
    ladder = ladders.of_loop(tx, row["loop_id"])
    state = climbing.state_of(row)
    found = None if ladder is None else climbing.next_step(ladder, state["step"], row["priority"])
    if found is None or climbing.goes_to(tx, row, found.step) is None:
        return _moved(tx, row, None)
    until = row["claim_expires_at"]
    if found.step.unless_claimed and row["status"] == "claimed" and until > tx.now:
        return _moved(tx, row, until if until < row["timeout_at"] else None)
    # steps by time are due later than the one before them was taken
    rule = "nobody_reachable" if row["escalate_at"] == state["since"] else "time"
    return _taken(tx, row, Cause(SYSTEM, rule=rule))


def _moved(tx: Tx, row: rows.Columns, then: int | None) -> bool:
    """Look again at another time; not where something has happened to the request since it was read."""
    tx.connection.execute(_move, {"request_id": row["id"], "seen": row["seq"], "then": then})
    return True


def nearest(tx: Tx) -> int | None:
    """When the next step is due, in milliseconds since 1970."""
    return tx.connection.execute(_nearest).scalar()


def apply_ladder(tx: Tx, loop_id: str) -> None:
    """Let what is open in a loop follow its ladder as it is now; of very many, the first 1,000."""
    for request_id in tx.connection.execute(_open_in, {"loop_id": loop_id}).scalars().all():
        row = rows.find(tx, request_id)
        if row["escalation"] is not None:
            _moved(tx, row, climbing.rescheduled(tx, row))
            continue
        begun = climbing.started(tx, loop_id, row, told_anyhow=True)
        if begun:
            values = {"state": begun["escalation"], "level": 0, "then": begun["escalate_at"]}
            tx.connection.execute(_begin, {"request_id": request_id, **values})
