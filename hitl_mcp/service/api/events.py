"""One stream of changes serves all waiting requests of a client process (D7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import Change
from hitl_mcp.service.context import Services
from hitl_mcp.service.web.auth import RequestReader, ServicesHere
from hitl_mcp.service.web.envelope import reply

router = APIRouter(tags=["events"])

PING_SECONDS = 15.0

_After = Annotated[int | None, Query(ge=0, le=2**63 - 1, description="position of the last change seen")]


@router.get(routes.EVENTS)
async def list_changes(agent: RequestReader, services: ServicesHere, after: _After = None) -> Response:
    """What happened to this key's requests after a position; without one, only the position to begin at.

    Read on from the `position` of the answer, or of any change: something may come twice, nothing is skipped.
    """
    position = services.feed.cursor
    changes = [] if after is None else await services.feed.since(after, agent.api_key_id)
    last = max([position if after is None else after, *(change.position for change in changes)])
    return reply("Events retrieved successfully", {"changes": changes, "position": last})


@router.get(routes.EVENTS_STREAM)
async def stream_changes(agent: RequestReader, services: ServicesHere, after: _After = None) -> StreamingResponse:
    """The same as server-sent events, as they happen. Each carries the position to resume from as `id`."""
    return StreamingResponse(
        _stream(services, agent.api_key_id, after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(services: Services, api_key_id: str, after: int | None) -> AsyncIterator[bytes]:
    services.presence.agents += 1
    try:
        with services.feed.subscribed(api_key_id) as news:
            seen = services.feed.cursor if after is None else after
            yield f"id: {seen}\nevent: ready\ndata: {{}}\n\n".encode()
            while after is not None and (missed := await services.feed.since(seen, api_key_id)):
                yield _frames(missed)
                # the page was the whole rest, and an entry below is still missing (H23)
                if missed[-1].position <= seen:
                    break
                seen = missed[-1].position
            while not services.feed.closed:
                fresh = await news.next_changes(PING_SECONDS)
                if news.lost:  # who reads too slowly comes again, and reads on from where it was
                    break
                if services.store.commits_in_order:  # elsewhere a position says where to resume, not what was sent
                    fresh = [change for change in fresh if change.position > seen]
                    seen = max([seen, *(change.position for change in fresh)])
                yield _frames(fresh) if fresh else b": ping\n\n"
    finally:
        services.presence.agents -= 1


def _frames(changes: list[Change]) -> bytes:
    return b"".join(
        b"id: %d\nevent: change\ndata: %b\n\n" % (change.position, change.model_dump_json(exclude_none=True).encode())
        for change in changes
    )
