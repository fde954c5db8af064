"""list_loops, list_requests and get_request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field

from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.models import RequestFilter, ReviewRequest, Sort
from hitl_mcp.contract.states import Status
from hitl_mcp.tools.compat import wording
from hitl_mcp.tools.compat.asking import RequestId, Wait
from hitl_mcp.tools.compat.results import (
    LoopsResult,
    RequestData,
    RequestResult,
    RequestsResult,
    Summary,
    as_json,
    listed,
    loop_object,
    request_object,
    told,
)
from hitl_mcp.tools.desk import Desk, Reception
from hitl_mcp.tools.questions import Urgency

if TYPE_CHECKING:
    from hitl_mcp.tools.server import HITLServer

Ctx = Context[Reception, Any]
MAX_PAGE = 100
SHORTEST_CUT = 3_000_000
"""A service ends a page of long requests earlier; one with fewer characters ends where the requests do."""
_LOOKS = ToolAnnotations(read_only_hint=True, open_world_hint=True)


def register_loops(server: HITLServer) -> None:
    """Add list_loops."""

    @server.tool(title="List loops", description=wording.LOOPS, annotations=_LOOKS)
    async def list_loops(ctx: Ctx) -> Annotated[CallToolResult, LoopsResult]:
        with ctx.request_context.lifespan_context.desk() as desk:
            found = await desk.client.list_loops()
            backend = await desk.client.backend()
        loops = [loop_object(loop) for loop in found]
        message = f"{len(loops)} loop{'' if len(loops) == 1 else 's'}. People answer at {backend.inbox}."
        return as_json(
            LoopsResult(message=message, loops=loops, count=len(loops), backend=backend.name, inbox=backend.inbox)
        )

    del list_loops  # registered by its decorator


def register_requests(server: HITLServer) -> None:
    """Add list_requests and get_request."""

    @server.tool(title="List requests", description=wording.REQUESTS, annotations=_LOOKS)
    async def list_requests(
        ctx: Ctx,
        status: Status | None = None,
        priority: Urgency | None = None,
        loop_id: Annotated[str | None, Field(description=wording.LOOP_ID)] = None,
        limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50,
        offset: Annotated[int, Field(ge=0)] = 0,
        sort: Sort = "created_at_desc",
    ) -> Annotated[CallToolResult, RequestsResult]:
        with ctx.request_context.lifespan_context.desk() as desk:
            if loop_id and not is_id(loop_id):
                loop_id = (await desk.loop_for(loop_id, "loop_id")).id
            given = {"status": status, "priority": priority, "loop_id": loop_id or None, "sort": sort}
            found, has_more = await _page(desk, given, limit, offset)
            backend = await desk.client.backend()
            requests = [request for request in found if desk.may_see(request)]
            desk.show(ctx, requests)
        waiting = sum(request.status.is_open for request in requests)
        message = f"{len(requests)} request{'' if len(requests) == 1 else 's'}, {waiting} not decided yet."
        known = not has_more and (found or not offset)  # a page behind the last says nothing of how many there are
        summary = Summary(count=len(requests), total=offset + len(found) if known else None, has_more=has_more)
        entries = [listed(request) for request in requests]
        return as_json(
            RequestsResult(
                message=message, summary=summary, requests=entries, backend=backend.name, inbox=backend.inbox
            )
        )

    @server.tool(title="Get a request", description=wording.GET, annotations=_LOOKS)
    async def get_request(
        ctx: Ctx, request_id: RequestId, wait_seconds: Wait = 0
    ) -> Annotated[CallToolResult, RequestResult[RequestData]]:
        with ctx.request_context.lifespan_context.desk() as desk:
            since = desk.client.mark()
            request = await desk.known(request_id)
            request = await desk.hold(ctx, request, wait_seconds, since, reads="get_request")
            return await told(ctx, desk, request, RequestData(request=request_object(request)))

    del list_requests, get_request  # registered by their decorators


async def _page(desk: Desk, given: dict[str, Any], limit: int, offset: int) -> tuple[list[ReviewRequest], bool]:
    """One page, and whether there is more; the cloud's lists do not always say (contract section 2.5)."""
    look = RequestFilter.model_validate(given | {"limit": min(limit + 1, MAX_PAGE), "offset": offset})
    found = await desk.client.list_requests(look)
    is_cut = len(found) <= limit and sum(len(one.model_dump_json()) for one in found) >= SHORTEST_CUT
    if is_cut or (limit == MAX_PAGE and len(found) == MAX_PAGE):
        beyond = look.model_copy(update={"limit": 1, "offset": offset + len(found)})
        return found, bool(await desk.client.list_requests(beyond))
    return found[:limit], len(found) > limit
