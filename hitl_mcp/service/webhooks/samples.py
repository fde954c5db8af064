"""Samples for the editors of Zapier, Make and the like: bodies as a webhook has them, of real requests if any."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from hitl_mcp.contract.answers import ResponseType
from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.models import RequestFilter, ReviewRequest
from hitl_mcp.contract.outcome import APPROVAL_CONFIG
from hitl_mcp.contract.states import Kind, Priority, Status
from hitl_mcp.service import rows
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.clock import moment
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import loops
from hitl_mcp.service.webhooks import body

MOST = 3
_CLOSED = {
    "request.completed": Status.COMPLETED, "request.timeout": Status.TIMEOUT, "request.cancelled": Status.CANCELLED
}  # fmt: skip
_RECEIVER = "https://example.com/your-receiver"


def of(tx: Tx, agent: Agent, event: str) -> list[dict[str, Any]]:
    """Bodies of an event, made of this key's newest requests that fit it; of a made-up one where there are none.

    Args:
        event: of a request, such as `request.completed`.
    """
    status = _CLOSED.get(event)
    found, _ = rows.listed(tx, RequestFilter(status=status, limit=MOST), agent)
    return [_sample(tx, event, request) for request in found or [_made_up(tx, agent, status or Status.PENDING)]]


def _sample(tx: Tx, event: str, request: ReviewRequest) -> dict[str, Any]:
    known = tx.connection.execute(select(loops.c.name).where(loops.c.id == request.loop_id)).scalar()
    loop = {"id": request.loop_id, "name": known or "Deployments", "creator_id": request.creator_id}
    # an id of its own, so that no editor takes the real event for one that it has seen
    event_id = f"sample_{request.id}_{event}"
    text = body.of_request(event, event_id, tx.now, 1, request, loop, {})
    return dict(json.loads(body.addressed(text, _RECEIVER, 0)))


def _made_up(tx: Tx, agent: Agent, status: Status) -> ReviewRequest:
    now = moment(tx.now)
    return ReviewRequest(
        id=new_id(), loop_id=new_id(), creator_id=agent.user_id, api_key_id=agent.api_key_id, kind=Kind.APPROVAL,
        status=status, processing_type="deferred", type="markdown", priority=Priority.MEDIUM, platform="api",
        request_text="May it be published?", response_type=ResponseType.SINGLE_SELECT, default_response="reject",
        response_config=APPROVAL_CONFIG, timeout_at=now, created_at=now, updated_at=now,
        response_data="reject" if status is Status.COMPLETED else None,
    )  # fmt: skip
