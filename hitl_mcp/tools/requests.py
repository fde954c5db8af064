"""The tools that look: check_request, list_loops, list_requests."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, InputRequiredResult, ToolAnnotations
from pydantic import BaseModel, Field

from hitl_mcp.contract.models import RequestFilter, ReviewRequest
from hitl_mcp.contract.outcome import Outcome, outcome_of
from hitl_mcp.contract.states import Status
from hitl_mcp.tools import wording
from hitl_mcp.tools.asking import check
from hitl_mcp.tools.changing import RequestId, known_request
from hitl_mcp.tools.desk import Reception, client_name
from hitl_mcp.tools.results import ReviewResult, plain

if TYPE_CHECKING:
    from hitl_mcp.tools.server import HITLServer

Ctx = Context[Reception, Any]

SHOWN_TEXT = 120


class LoopEntry(BaseModel):
    """One loop."""

    id: str
    name: str
    description: str | None
    reviewers: int
    open_requests: int


class LoopList(BaseModel):
    """The loops, and where people answer."""

    loops: list[LoopEntry]
    backend: str
    inbox: str


class RequestEntry(BaseModel):
    """One request in a list."""

    request_id: str
    outcome: Outcome
    status: Status
    text: str
    created_at: datetime
    open_until: datetime
    collected: bool = Field(description="Whether its decision was already handed to an agent")


class RequestList(BaseModel):
    """Requests, and where people answer."""

    requests: list[RequestEntry]
    backend: str
    inbox: str


def register(server: HITLServer) -> None:
    """Add the tools to the server."""

    @server.tool(title="Check a request", description=wording.CHECK, annotations=ToolAnnotations(read_only_hint=True))
    async def check_request(
        ctx: Ctx,
        request_id: RequestId,
        wait_seconds: Annotated[float, Field(ge=0, le=3600, description=wording.WAIT)] = 0,
    ) -> Annotated[CallToolResult, ReviewResult] | InputRequiredResult:
        with ctx.request_context.lifespan_context.desk() as desk:
            since = desk.client.mark()
            request = await known_request(desk, request_id)
            return await check(desk, ctx, request, wait_seconds, since)

    @server.tool(title="List loops", description=wording.LOOPS, annotations=ToolAnnotations(read_only_hint=True))
    async def list_loops(ctx: Ctx) -> Annotated[CallToolResult, LoopList]:
        with ctx.request_context.lifespan_context.desk() as desk:
            found = await desk.client.list_loops()
            backend = await desk.client.backend()
        loops = [
            LoopEntry(
                id=loop.id, name=loop.name, description=loop.description, reviewers=loop.member_count,
                open_requests=loop.pending_count,
            )
            for loop in found
        ]  # fmt: skip
        names = "; ".join(f"{loop.name} ({loop.id}, {loop.open_requests} open)" for loop in loops)
        text = f"{_count(loops, 'loop')}: {names}. People answer at {backend.inbox}."
        return plain(text, LoopList(loops=loops, backend=backend.name, inbox=backend.inbox))

    @server.tool(title="List requests", description=wording.REQUESTS, annotations=ToolAnnotations(read_only_hint=True))
    async def list_requests(
        ctx: Ctx,
        status: Annotated[Status | None, Field(description="Only these")] = None,
        limit: Annotated[int, Field(ge=1, le=100)] = 20,
    ) -> Annotated[CallToolResult, RequestList]:
        with ctx.request_context.lifespan_context.desk() as desk:
            listed = await desk.client.list_requests(RequestFilter(status=status, limit=100))
            found = [request for request in listed if desk.may_see(request)]
            backend = await desk.client.backend()
        mine = client_name(ctx)
        found.sort(key=lambda request: not (_uncollected(request) and request.user_agent == mine))
        entries = [_entry(request) for request in found[:limit]]
        lines = [f"{entry.request_id} {entry.outcome.value}: {entry.text}" for entry in entries]
        text = "\n".join([f"{_count(entries, 'request')}. People answer at {backend.inbox}.", *lines])
        return plain(text, RequestList(requests=entries, backend=backend.name, inbox=backend.inbox))

    del check_request, list_loops, list_requests  # registered by their decorators


def _uncollected(request: ReviewRequest) -> bool:
    return not request.status.is_open and request.first_delivered_at is None


def _entry(request: ReviewRequest) -> RequestEntry:
    text = " ".join(request.request_text.split())
    return RequestEntry(
        request_id=request.id,
        outcome=outcome_of(request),
        status=request.status,
        text=text if len(text) <= SHOWN_TEXT else f"{text[: SHOWN_TEXT - 1]}…",
        created_at=request.created_at,
        open_until=request.timeout_at,
        collected=request.first_delivered_at is not None,
    )


def _count(items: list[Any], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"
