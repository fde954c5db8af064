"""Which people are told of a request, and that they are: one message to each channel, in the request's transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from hitl_mcp.service.store.base import Tx

Reason = Literal["created", "reminder", "escalated", "reassigned", "answered_back"]
"""Why a person is told: a new request, one near its deadline, one that climbed its ladder or was handed to them, or one
whose agent has answered a question of theirs."""


def tell(tx: Tx, request_id: str, loop_id: str, reason: Reason, only: Collection[str] | None = None) -> int:
    """Have a request's people told; returns how many of them a message is on its way to.

    Args:
        only: the ids of those to tell; None for every member who answers for the loop.
    """
    del tx, request_id, loop_id, reason, only  # channels come with notify's next step
    return 0
