"""What editors of workflows ask beside the webhooks themselves: samples of what an event looks like."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from hitl_mcp.contract import routes
from hitl_mcp.contract.webhooks import REQUEST_EVENTS
from hitl_mcp.errors import BadRequest
from hitl_mcp.service.web.auth import RequestReader, ServicesHere
from hitl_mcp.service.web.envelope import reply
from hitl_mcp.service.webhooks import samples

router = APIRouter(tags=["webhooks"])

_Event = Annotated[str, Query(max_length=60, description="such as request.completed")]


@router.get(routes.HOOK_SAMPLES)
async def hook_samples(event: _Event, agent: RequestReader, services: ServicesHere) -> Response:
    """Up to three bodies of an event, as a webhook has them: of this key's newest requests, else a made-up one."""
    if event not in REQUEST_EVENTS:
        raise BadRequest("Unknown event", f"event must be one of: {', '.join(REQUEST_EVENTS)}")
    found = await services.store.scan(lambda tx: samples.of(tx, agent, event))
    return reply("Samples retrieved successfully", {"event": event, "samples": found})
