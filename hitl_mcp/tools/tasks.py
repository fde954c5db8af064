"""The tasks extension of the protocol (2026-07-28): a call that asks a person is answered with a task at once.

A task is a view of its request and has no state of its own: the task's id is the request's id, so a task outlives the
process that made it, and only who asked finds it.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mcp import MCPError
from mcp.server import ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import Context, require_client_extension
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp.types import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    RequestParams,
    TextContent,
)
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from hitl_mcp.contract.states import Status
from hitl_mcp.errors import BadRequest, Conflict, HITLError, NotFound

if TYPE_CHECKING:  # made with the server, which must start fast
    from hitl_mcp.contract.models import ReviewRequest
    from hitl_mcp.sdk.endpoint import Endpoint
    from hitl_mcp.tools.desk import Desk, Reception

    Ctx = ServerRequestContext[Reception, Any]

EXTENSION = "io.modelcontextprotocol/tasks"
TOOLS = ("request_human_approval", "ask_human")
POLL_MS = 2_000
CLOUD_POLL_MS = 30_000
"""The cloud counts every look."""
KEPT = timedelta(days=30)
"""How long a task can be read after its deadline, at least."""
_MODERN = frozenset({"2026-07-28"})


class TaskParams(RequestParams):
    """Which task is meant."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, defer_build=True)

    task_id: str


class UpdateParams(TaskParams):
    """What the client's user entered. Our tasks never ask for it: people answer elsewhere."""

    model_config = ConfigDict(defer_build=True)

    input_responses: dict[str, Any]


class ReviewTasks(Extension):
    """Shows each request as a task, to clients that declare the extension."""

    identifier = EXTENSION

    def methods(self) -> list[MethodBinding]:
        """`tasks/get`, `tasks/update` and `tasks/cancel`."""
        return [
            MethodBinding("tasks/get", TaskParams, self._get, _MODERN),
            MethodBinding("tasks/update", UpdateParams, self._update, _MODERN),
            MethodBinding("tasks/cancel", TaskParams, self._cancel, _MODERN),
        ]

    async def intercept_tool_call(self, params: CallToolRequestParams, ctx: Ctx, call_next: CallNext) -> HandlerResult:
        """Ask without waiting, and answer with the task; what is no open request goes back as the tool returned it."""
        if params.name not in TOOLS or ctx.protocol_version not in _MODERN or not declared(ctx):
            return await call_next(ctx)
        # the SDK calls the tool with these very params; the client waits by its task, so the call does not
        params.arguments = {**(params.arguments or {}), "wait_seconds": 0}
        result = await call_next(ctx)
        content = result.structured_content if isinstance(result, CallToolResult) else None
        if not content or content.get("outcome") not in ("pending", "question"):
            return result
        with ctx.lifespan_context.desk() as desk:
            try:
                request = await desk.known(str(content["request_id"]))
                backend = await desk.client.backend()
            except HITLError:  # the request is kept, and its handle says how to find it
                return result
        return {"resultType": "task", **_task(request, backend)}

    async def _get(self, ctx: Ctx, params: TaskParams) -> HandlerResult:
        with ctx.lifespan_context.desk() as desk:
            request = await _known(ctx, desk, params.task_id)
            try:
                return await detailed(ctx, desk, request)
            except HITLError as error:
                raise MCPError(INTERNAL_ERROR, str(error)) from error

    async def _update(self, ctx: Ctx, params: UpdateParams) -> HandlerResult:
        with ctx.lifespan_context.desk() as desk:
            await _known(ctx, desk, params.task_id)
        return {}

    async def _cancel(self, ctx: Ctx, params: TaskParams) -> HandlerResult:
        """Withdraw the request.

        A call that ends says nothing: a host's time was over, or a window was closed, and the person's answer is still
        wanted. `tasks/cancel` is sent on purpose, and nobody who sent it comes back for the answer.
        """
        with ctx.lifespan_context.desk() as desk:
            request = await _known(ctx, desk, params.task_id)
            try:
                with contextlib.suppress(BadRequest, Conflict):  # closed meanwhile: `tasks/get` says how
                    await desk.client.cancel_request(request.id)
            except HITLError as error:
                raise MCPError(INTERNAL_ERROR, f"The task was not cancelled: {error}") from error
        return {}


async def detailed(ctx: Ctx, desk: Desk, request: ReviewRequest) -> dict[str, Any]:
    """The task with its result; a final one is followed until the client has it (H2).

    A rejection, or that nobody answered, is a completed task too.

    Raises: HITLError when the backend cannot be found.
    """
    task = _task(request, await desk.client.backend())
    if request.status.is_open:
        return task
    context: Context[Reception, Any] = Context(request_context=ctx)
    try:
        result = await desk.result(context, request)
    except ToolError as error:  # an unreadable decision: no approval (H11)
        result = CallToolResult(content=[TextContent(type="text", text=str(error))], is_error=True)
    if task["status"] == "completed":
        task["result"] = result.model_dump(mode="json", by_alias=True, exclude_none=True) | {"resultType": "complete"}
    return task


def _task(request: ReviewRequest, backend: Endpoint) -> dict[str, Any]:
    from hitl_mcp.tools.results import page_of, where_it_stands

    match request.status:
        case Status.PENDING | Status.CLAIMED:
            status, words = "working", f"{where_it_stands(request)}, at {page_of(request, backend)}"
        case Status.CANCELLED:
            status, words = "cancelled", "The request was withdrawn. Nobody decided it; do not act on it."
        case Status.TIMEOUT:
            status, words = "completed", "Nobody answered in time"
        case Status.COMPLETED:
            status, words = "completed", "A person answered"
    return {
        "taskId": request.id,
        "status": status,
        "statusMessage": words,
        "createdAt": _moment(request.created_at),
        "lastUpdatedAt": _moment(request.updated_at),
        "ttlMs": int((request.timeout_at + KEPT - request.created_at).total_seconds() * 1000),
        "pollIntervalMs": CLOUD_POLL_MS if backend.name == "cloud" else POLL_MS,
    }


async def _known(ctx: Ctx, desk: Desk, task_id: str) -> ReviewRequest:
    """The caller's request behind a task. Raises: MCPError; another caller's task is not found."""
    require_client_extension(ctx, EXTENSION)
    header = None if ctx.request is None else ctx.request.headers.get(MCP_NAME_HEADER)
    if header is not None and decode_header_value(header) != task_id:
        raise MCPError(HEADER_MISMATCH, "Mcp-Name does not match params.taskId. Send the task's id in both.")
    try:
        return await desk.known(task_id)
    except (NotFound, BadRequest):
        words = f"There is no task {task_id[:80]!r} of yours. The tool list_requests shows your requests."
        raise MCPError(INVALID_PARAMS, words) from None
    except HITLError as error:
        raise MCPError(INTERNAL_ERROR, str(error)) from error


def declared(ctx: Ctx) -> bool:
    """Whether the client knows tasks."""
    capabilities = ctx.session.client_capabilities
    return capabilities is not None and EXTENSION in (capabilities.extensions or {})


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
