"""What happens to requests by time alone; any number of processes may try, each change is guarded (D9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hitl_mcp.service.lifecycle import deciding, escalating, holding, reminding
from hitl_mcp.service.store.base import Tx


@dataclass(frozen=True, slots=True)
class Due:
    """One kind of it.

    Attributes:
        nearest: when the next is due, in milliseconds since 1970; None when none is.
        act: does what is due, a bounded number at a time, and returns how many; 0 when nothing is left.
    """

    nearest: Callable[[Tx], int | None]
    act: Callable[[Tx], int]


DUE = (
    Due(holding.nearest, holding.finish_due),
    Due(deciding.nearest_deadline, deciding.expire_due),
    Due(escalating.nearest, escalating.escalate_due),
    Due(reminding.nearest_reminder, reminding.remind_due),
)
"""In the order in which they are done: an answer that was given counts before the deadline that passed meanwhile."""


def nearest(tx: Tx) -> int | None:
    """When the next of all kinds is due."""
    return min((at for kind in DUE if (at := kind.nearest(tx)) is not None), default=None)
