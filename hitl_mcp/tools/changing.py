"""The tools that change a request: update_request, cancel_request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.errors import BadRequest, Conflict, NotFound
from hitl_mcp.tools import wording
from hitl_mcp.tools.desk import Desk, Reception
from hitl_mcp.tools.questions import Seconds, Urgency
from hitl_mcp.tools.results import ReviewResult

if TYPE_CHECKING:
    from hitl_mcp.tools.server import HITLServer

Ctx = Context[Reception, Any]
RequestId = Annotated[str, Field(description="As returned by the tool that asked")]


def register(server: HITLServer) -> None:
    """Add the tools to the server."""

    @server.tool(
        title="Update a request",
        description=wording.UPDATE,
        annotations=ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False),
    )
    async def update_request(
        ctx: Ctx,
        request_id: RequestId,
        answer: Annotated[str | None, Field(description="To the reviewer's question")] = None,
        text: str | None = None,
        context: dict[str, Any] | None = None,
        priority: Urgency | None = None,
        timeout_seconds: Seconds | None = None,
    ) -> Annotated[CallToolResult, ReviewResult]:
        given = {
            "reviewer_answer": answer, "request_text": text, "context": context, "priority": priority,
            "timeout_seconds": timeout_seconds,
        }  # fmt: skip
        changes = {name: value for name, value in given.items() if value is not None}
        if not changes:
            raise ToolError("Nothing to change was given. Give answer, text, context, priority or timeout_seconds.")
        with ctx.request_context.lifespan_context.desk() as desk:
            await known_request(desk, request_id)
            return await desk.result(ctx, await desk.client.update_request(request_id, **changes))

    @server.tool(
        title="Cancel a request",
        description=wording.CANCEL,
        annotations=ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True),
    )
    async def cancel_request(ctx: Ctx, request_id: RequestId) -> Annotated[CallToolResult, ReviewResult]:
        with ctx.request_context.lifespan_context.desk() as desk:
            await known_request(desk, request_id)
            note = ""
            try:
                await desk.client.cancel_request(request_id)
            except (BadRequest, Conflict) as refused:
                note = f"It was not withdrawn: {refused}"
            request = await desk.client.get_request(request_id)
            # closed meanwhile: the result says how
            return await desk.result(ctx, request, note=note if request.status.is_open else "")

    del update_request, cancel_request  # registered by their decorators


async def known_request(desk: Desk, request_id: str) -> ReviewRequest:
    """This caller's request. Raises: ToolError that says what an id is and where to find one."""
    try:
        return await desk.known(request_id)
    except BadRequest:
        raise ToolError(
            f"request_id {request_id[:80]!r} is not a request id: 24 characters 0-9 and a-f, as the tool that asked "
            "returned it. list_requests shows yours."
        ) from None
    except NotFound:
        raise ToolError(f"There is no request {request_id} of yours. list_requests shows yours.") from None
