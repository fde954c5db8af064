"""One stream of changes serves all waiting requests of a client process (D7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import Change
from hitl_mcp.service.auth import AgentCaller, ServicesHere
from hitl_mcp.service.context import Services
from hitl_mcp.service.envelope import reply

router = APIRouter(tags=["events"])

PING_SECONDS = 15.0

_After = Annotated[int | None, Query(ge=0, le=2**63 - 1, description="position of the last change seen")]


@router.get(routes.EVENTS)
async def list_changes(agent: AgentCaller, services: ServicesHere, after: _After = None) -> Response:
    """What happened to this key's requests after a position; without one, only the position to begin at."""
    position = services.feed.position
    changes = [] if after is None else await services.feed.since(after, agent.api_key_id)
    last = max([position if after is None else after, *(change.position for change in changes)])
    return reply("Events retrieved successfully", {"changes": changes, "position": last})


@router.get(routes.EVENTS_STREAM)
async def stream_changes(agent: AgentCaller, services: ServicesHere, after: _After = None) -> StreamingResponse:
    """The same as server-sent events, as they happen. Each carries its position as `id`."""
    return StreamingResponse(
        _stream(services, agent.api_key_id, after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(services: Services, api_key_id: str, after: int | None) -> AsyncIterator[bytes]:
    services.presence.agents += 1
    try:
        with services.feed.subscribed(api_key_id) as news:
            seen = services.feed.position if after is None else after
            yield f"id: {seen}\nevent: ready\ndata: {{}}\n\n".encode()
            while after is not None and (missed := await services.feed.since(seen, api_key_id)):
                seen = missed[-1].position
                yield _frames(missed)
            while not services.feed.closed:
                fresh = [change for change in await news.next_changes(PING_SECONDS) if change.position > seen]
                if fresh:
                    seen = fresh[-1].position
                yield _frames(fresh) if fresh else b": ping\n\n"
    finally:
        services.presence.agents -= 1


def _frames(changes: list[Change]) -> bytes:
    return b"".join(
        b"id: %d\nevent: change\ndata: %b\n\n" % (change.position, change.model_dump_json(exclude_none=True).encode())
        for change in changes
    )
