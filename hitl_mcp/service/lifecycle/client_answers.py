"""Whether an answer that an MCP client passes on is taken: on one's own machine, never for what is critical (H7)."""

from __future__ import annotations

from hitl_mcp.contract.states import Priority
from hitl_mcp.errors import NotAllowed
from hitl_mcp.service import loops
from hitl_mcp.service.store.base import Tx


def taken(said: bool | None, priority: Priority, *, by_default: bool) -> bool:
    """Whether such an answer would be taken.

    Args:
        said: what the loop's people have set; None when they have not.
        by_default: what this kind of service does then.
    """
    return priority is not Priority.CRITICAL and (by_default if said is None else said)


def check(tx: Tx, loop_id: str, priority: Priority, *, by_default: bool) -> None:
    """Raises: NotAllowed, with the reason and what to do instead."""
    if taken(loops.client_answers(tx, loop_id), priority, by_default=by_default):
        return
    if priority is Priority.CRITICAL:
        why = "A critical request is never answered through the client"
    else:
        why = "This loop takes no answers through the client"
    raise NotAllowed(f"{why}. A person answers in the inbox or with `hitl-mcp respond`")
