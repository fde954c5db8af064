"""Where a request stands on its loop's ladder, and when the next step is due. Decides nothing and writes nothing."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hitl_mcp.contract.escalation import Ladder, LadderStep
from hitl_mcp.contract.models import DEFERRED_TIMEOUT, MAX_TIMEOUT
from hitl_mcp.contract.states import Priority
from hitl_mcp.contract.text import canonical
from hitl_mcp.service import ladders, rows
from hitl_mcp.service.membership import answers_in
from hitl_mcp.service.notify.people import reachable
from hitl_mcp.service.store.base import Tx


class Next(NamedTuple):
    """The next step that is for a request of its priority.

    Attributes:
        place: its place on the ladder.
    """

    place: int
    step: LadderStep


def started(tx: Tx, loop_id: str, row: rows.Columns, *, told_anyhow: bool) -> dict[str, Any]:
    """The columns of a request that begins at the foot of a loop's ladder; none where there is no ladder.

    Args:
        row: its `priority`, `created_at` and `timeout_at`.
        told_anyhow: somebody learns of it whatever channels there are.
    """
    ladder = ladders.of_loop(tx, loop_id)
    if ladder is None:
        return {}
    state: dict[str, Any] = {
        "level": 0, "of": ladders.steps_from(tx, loop_id, 0, [loop_id]), "step": 0, "since": tx.now,
        "visited": [loop_id], "extended_ms": 0, "given_ms": row["timeout_at"] - row["created_at"], "steps": [],
    }  # fmt: skip
    at = due_at(tx, loop_id, ladder, state, row["priority"], row["timeout_at"], told_anyhow=told_anyhow)
    return {"escalation": canonical(state), "escalation_level": 0, "escalate_at": at}


def rescheduled(tx: Tx, row: rows.Columns) -> int | None:
    """When the next step of a request is due after its deadline or priority changed; None when none is."""
    ladder = None if row["escalation"] is None else ladders.of_loop(tx, row["loop_id"])
    if ladder is None:
        return None
    state = state_of(row)
    return due_at(tx, row["loop_id"], ladder, state, row["priority"], row["timeout_at"], told_anyhow=True)


def state_of(row: rows.Columns) -> dict[str, Any]:
    """Where a request stands, as `started` began it."""
    return json.loads(str(row["escalation"]))


def due_at(
    tx: Tx, loop_id: str, ladder: Ladder, state: dict[str, Any], priority: str, deadline: int, *, told_anyhow: bool
) -> int | None:
    """When the next step is due, in milliseconds since 1970; None when none is before the deadline."""
    found = next_step(ladder, state["step"], priority)
    if found is None:
        return None
    step, since = found.step, state["since"]
    times: list[int] = []
    if step.after_percent is not None:
        times.append(since + (deadline - since) * step.after_percent // 100)
    if step.after_minutes is not None:
        times.append(since + step.after_minutes * 60_000)
    if step.nobody_reachable and not told_anyhow and reachable(tx, loop_id, priority) == 0:
        times.append(tx.now)
    at = min(times, default=None)
    return None if at is None or at >= deadline else at


def next_step(ladder: Ladder, first: int, priority: str) -> Next | None:
    """The next one from a place on that is for this priority."""
    for place, step in enumerate(ladder.steps[first:], first):
        if Priority(priority).rank >= step.from_priority.rank:
            return Next(place, step)
    return None


def goes_to(tx: Tx, row: rows.Columns, step: LadderStep) -> str | None:
    """The loop that a request is in after a step; None where the step cannot be taken: it leads to a loop that is out
    of use, has nobody to answer, or has had this request before.
    """
    if step.to_loop is None:
        return row["loop_id"]
    visited = state_of(row)["visited"]
    return step.to_loop if step.to_loop not in visited and ladders.is_answered(tx, step.to_loop) else None


def people_for(tx: Tx, loop_id: str, step: LadderStep) -> list[str]:
    """Those whom a step names, as far as they answer there still."""
    return [user_id for user_id in step.to_people if answers_in(tx, loop_id, user_id)]


def raised(priority: str, step: LadderStep) -> str:
    """The priority after a step; it never falls."""
    wanted = step.raise_priority_to
    return wanted.value if wanted is not None and wanted.rank > Priority(priority).rank else priority


def extension(row: rows.Columns, ladder: Ladder, step: LadderStep) -> int:
    """By how many milliseconds a step moves the deadline: within the ladder's bound and the contract's."""
    state = state_of(row)
    bound = state["given_ms"] * ladder.extend_at_most_percent // 100 - state["extended_ms"]
    longest = 1000 * (MAX_TIMEOUT if row["processing_type"] == "time-sensitive" else DEFERRED_TIMEOUT)
    left = row["created_at"] + longest - row["timeout_at"]
    return max(0, min(step.extend_minutes * 60_000, bound, left))
