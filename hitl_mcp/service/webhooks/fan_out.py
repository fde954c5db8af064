"""From an event to the deliveries it causes: one for each endpoint that wants it, in the event's own transaction."""

from __future__ import annotations

from typing import Any

from hitl_mcp.service.store.base import Tx


def of_request(tx: Tx, request_id: str, seq: int, kind: str, data: dict[str, Any]) -> None:
    """Have whoever subscribed told of an entry of a request's log.

    Args:
        kind: the entry's type, such as `created` or `completed`.
        data: what the entry says.
    """
    del tx, request_id, seq, kind, data  # comes with the webhooks


def of_loop(tx: Tx, loop_id: str, event: str, data: dict[str, Any]) -> None:
    """Have whoever subscribed told of something that happened to a loop itself.

    Args:
        event: such as `loop.member_joined`.
    """
    del tx, loop_id, event, data  # comes with the webhooks
