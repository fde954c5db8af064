"""When the next look is due. Pure: the waiting requests, the looks made so far and the budget in, a moment out (H31).

A *paced* look comes `PACE` seconds or more after the one before; any other look is a *burst*. In `SPAN` seconds at most
30 looks can be paced (31 of them need 30 pauses of `PACE`), and bursts are counted and end at 30. So there are never
more than 60 looks in an hour, and a burst never takes a paced look's place: without foreign spending somebody who
waits hears of a decision after `PACE` seconds and the time of one call, at the latest.

Bursts go to the young (the wait so far says how long it will go on), the urgent and the nearly due. The fewer are left,
the further apart they are, so that an hour with many questions ends as it began. When others spend the same key's
calls, paced looks spread over what is left until the hour ends, and bursts are made only of what paced looks do not
need.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from hitl_mcp.contract.states import Priority
from hitl_mcp.sdk.cloud.budget import Budget

MOST = 60
"""Looks in any sliding hour (H31)."""
BURSTS = 30
PACE = 122.0
SPAN = 3630.0
"""An hour, and the time that a call may take to reach the cloud: it counts when it arrives, we when it leaves."""
SHORTEST = 5.0
"""Seconds between two bursts while none of them are used."""
_OF_AGE = 0.25
_OF_REST = 0.25
_AFTER_DEADLINE = 1.0
_NEGLECT = 3
_URGENCY = {Priority.CRITICAL: 0.5, Priority.HIGH: 0.75, Priority.MEDIUM: 1.0, Priority.LOW: 2.0}


@dataclass(frozen=True, slots=True)
class Waiter:
    """A request somebody waits for. Times are seconds since 1970.

    Attributes:
        seen: when its state was last read; at first, when it was created.
    """

    request_id: str
    created: float
    priority: Priority
    deadline: float
    seen: float


def due(waiting: Sequence[Waiter], looks: Sequence[float], budget: Budget, now: float) -> float | None:
    """When to look next, at the earliest now; None when nobody waits.

    Args:
        looks: when looks were made, oldest first, those of the last two hours at least.
    """
    if not waiting:
        return None
    burst = max(_next_burst(looks, budget, now), min(wish(waiter) for waiter in waiting))
    return max(now, min(_next_paced(looks, budget, now), burst), _hard_limit(looks, now), budget.opens(now))


def may_look(looks: Sequence[float], budget: Budget, now: float, *, hurry: bool = False) -> float:
    """When a look may be made that nobody's wait asks for; now, or later.

    Args:
        hurry: nothing at all is known yet, so a burst may follow at once while there are some.
    """
    burst = _next_burst(looks, budget, now, hurry=hurry)
    return max(now, min(_next_paced(looks, budget, now), burst), _hard_limit(looks, now), budget.opens(now))


def wish(waiter: Waiter) -> float:
    """When this request should be looked at again, if looks cost nothing."""
    if waiter.seen < waiter.deadline + _AFTER_DEADLINE:
        pause = _OF_AGE * max(0.0, waiter.seen - waiter.created) * _URGENCY[waiter.priority]
        pause = min(pause, _OF_REST * (waiter.deadline - waiter.seen))
        return min(waiter.seen + max(SHORTEST, pause), max(waiter.deadline + _AFTER_DEADLINE, waiter.seen))
    return waiter.seen + max(SHORTEST, waiter.seen - waiter.deadline)  # overdue: the cloud's clock is another


def aim(waiting: Sequence[Waiter], looks: Sequence[float], now: float) -> Waiter:
    """The request that a look now must show: with a burst the one it is made for, else the one not seen for longest.

    Args:
        waiting: at least one.
        looks: those before this one.
    """
    longest = min(waiting, key=lambda waiter: waiter.seen)
    burst = bool(looks) and now - looks[-1] < PACE
    return min(waiting, key=wish) if burst and now - longest.seen < _NEGLECT * PACE else longest


def pace(budget: Budget, now: float) -> float:
    """The most time between two looks, in seconds: what staleness is promised."""
    return max(PACE, budget.spacing(now))


def _next_paced(looks: Sequence[float], budget: Budget, now: float) -> float:
    return looks[-1] + pace(budget, now) if looks else now


def _next_burst(looks: Sequence[float], budget: Budget, now: float, *, hurry: bool = False) -> float:
    left = BURSTS - _bursts(looks, now)
    spare = budget.room(now) - 1
    if left <= 0 or spare * PACE < budget.until_reset(now):
        return math.inf
    if not looks:
        return now
    return now if hurry else looks[-1] + SHORTEST * BURSTS / left


def _bursts(looks: Sequence[float], now: float) -> int:
    return sum(1 for before, look in itertools.pairwise(looks) if look > now - SPAN and look - before < PACE)


def _hard_limit(looks: Sequence[float], now: float) -> float:
    """Not needed by the argument above; it also holds when the ledger was filled by something else."""
    recent = [look for look in looks if look > now - SPAN]
    return recent[-MOST] + SPAN if len(recent) >= MOST else now
