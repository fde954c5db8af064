"""create_request, update_request, cancel_request and add_request_feedback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field, WithJsonSchema

from hitl_mcp.contract.answers import ResponseType
from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.media import RequestType
from hitl_mcp.contract.models import MAX_REQUEST_TEXT, Created, Platform, ProcessingType
from hitl_mcp.tools.compat import refusals, wording
from hitl_mcp.tools.compat.results import (
    CancelledData,
    CreatedData,
    FeedbackData,
    FeedbackResult,
    RequestData,
    RequestResult,
    as_json,
    request_object,
    told,
)
from hitl_mcp.tools.compat.schemas import CHANGEABLE, FEEDBACK, UPDATES
from hitl_mcp.tools.desk import Reception
from hitl_mcp.tools.questions import Facts, Seconds, Urgency, checked_config, new_request
from hitl_mcp.tools.schemas import response_config_schema

if TYPE_CHECKING:
    from hitl_mcp.tools.server import HITLServer

Ctx = Context[Reception, Any]
Address = str | None
Addresses = list[str] | None
OneValue = Literal["single_select", "multi_select", "rating", "text", "number", "boolean", "editable_text"]
Config = Annotated[dict[str, Any], WithJsonSchema(response_config_schema())]
LoopId = Annotated[str, Field(min_length=1, description=wording.LOOP_ID)]
RequestId = Annotated[str, Field(min_length=1, description=wording.REQUEST_ID)]
Wait = Annotated[float, Field(ge=0, le=3600, description=wording.WAIT)]


def register_create(server: HITLServer, *, merges: bool) -> None:
    """Add create_request.

    Args:
        merges: asking the same twice is one question (H3).
    """

    @server.tool(
        title="Create a request",
        description=wording.CREATE,
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=merges, open_world_hint=True
        ),
    )
    async def create_request(
        ctx: Ctx,
        loop_id: LoopId,
        processing_type: ProcessingType,
        type: RequestType,
        priority: Urgency,
        request_text: Annotated[str, Field(min_length=1, max_length=MAX_REQUEST_TEXT, description="As Markdown")],
        response_type: OneValue,
        response_config: Config,
        default_response: Annotated[Any, Field(description=wording.DEFAULT)],
        timeout_seconds: Annotated[Seconds | None, Field(description=wording.TIMEOUT)] = None,
        platform: Platform = "api",
        image_url: Address = None,
        context: Facts = None,
        callback_url: Address = None,
        tags: list[str] | None = None,
        image_urls: Addresses = None,
        file_url: Address = None,
        file_type: Annotated[str | None, Field(description="MIME type")] = None,
        file_name: str | None = None,
        file_urls: Addresses = None,
        file_types: list[str] | None = None,
        file_names: list[str] | None = None,
        video_url: Address = None,
        video_urls: Addresses = None,
        audio_url: Address = None,
        audio_urls: Addresses = None,
        wait_seconds: Wait = 0,
    ) -> Annotated[CallToolResult, RequestResult[CreatedData]]:
        if processing_type == "time-sensitive" and timeout_seconds is None:
            raise ToolError(refusals.NO_TIMEOUT)
        if type == "image" and not (image_url or image_urls):
            raise ToolError(refusals.NO_IMAGE)
        checked_config("create_request", ResponseType(response_type), response_config, default_response)
        new = _given(
            processing_type=processing_type, type=type, priority=priority, request_text=request_text,
            response_type=response_type, response_config=response_config, default_response=default_response,
            timeout_seconds=timeout_seconds, platform=platform, context=context, callback_url=callback_url, tags=tags,
            image_url=image_url, image_urls=image_urls, file_url=file_url, file_type=file_type, file_name=file_name,
            file_urls=file_urls, file_types=file_types, file_names=file_names, video_url=video_url,
            video_urls=video_urls, audio_url=audio_url, audio_urls=audio_urls,
        )  # fmt: skip
        with ctx.request_context.lifespan_context.desk() as desk:
            since = desk.client.mark()
            loop = loop_id if is_id(loop_id) else (await desk.loop_for(loop_id, "loop_id")).id
            created, asked = await desk.create(ctx, "create_request", loop, new_request(**new))
            request, data = created.request, _documented(created)
            del new, created  # a call may wait for an hour with a thousand others
            request = await desk.hold(ctx, request, wait_seconds, since, reads="get_request")
            data.status = request.status
            data.request = None if request.status.is_open else request_object(request)
            return await told(ctx, desk, request, data, asked)

    del create_request  # registered by its decorator


def register_changes(server: HITLServer) -> None:
    """Add update_request, cancel_request and add_request_feedback."""

    @server.tool(
        title="Update a request",
        description=wording.UPDATE,
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True
        ),
    )
    async def update_request(
        ctx: Ctx,
        request_id: RequestId,
        updates: Annotated[dict[str, Any], Field(min_length=1), WithJsonSchema(UPDATES)],
    ) -> Annotated[CallToolResult, RequestResult[RequestData]]:
        fixed = [name for name in updates if name not in CHANGEABLE]
        if fixed:
            raise ToolError(
                f"updates.{fixed[0]} cannot be changed; {', '.join(CHANGEABLE)} can. For anything else cancel_request, "
                "then create_request anew."
            )
        with ctx.request_context.lifespan_context.desk() as desk:
            request = await desk.client.update_request(request_id, **updates)
            return await told(ctx, desk, request, RequestData(request=request_object(request)))

    @server.tool(
        title="Cancel a request",
        description=wording.CANCEL,
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True
        ),
    )
    async def cancel_request(
        ctx: Ctx, request_id: RequestId
    ) -> Annotated[CallToolResult, RequestResult[CancelledData]]:
        with ctx.request_context.lifespan_context.desk() as desk:
            request = await desk.client.cancel_request(request_id)
            data = CancelledData(request_id=request.id, status=request.status, cancelled_at=request.cancelled_at)
            return await told(ctx, desk, request, data)

    @server.tool(
        title="Rate an answer",
        description=wording.FEEDBACK,
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
        ),
    )
    async def add_request_feedback(
        ctx: Ctx,
        request_id: RequestId,
        feedback: Annotated[dict[str, Any], Field(min_length=1), WithJsonSchema(FEEDBACK)],
    ) -> Annotated[CallToolResult, FeedbackResult]:
        # the documented numbers are not integers by type, and a model may write 5.0; the API takes integers only
        marks = {name: int(v) if isinstance(v, float) and v.is_integer() else v for name, v in feedback.items()}
        with ctx.request_context.lifespan_context.desk() as desk:
            await desk.client.add_feedback(request_id, marks)
            backend = await desk.client.backend()
        data = FeedbackData(request_id=request_id, feedback=marks)
        message = "Feedback added successfully. It is kept with the request; nothing else follows from it."
        return as_json(FeedbackResult(message=message, data=data, backend=backend.name, inbox=backend.inbox))

    del update_request, cancel_request, add_request_feedback  # registered by their decorators


def _given(**fields: Any) -> dict[str, Any]:
    """What was said; the contract tells null and nothing apart."""
    return {name: value for name, value in fields.items() if value is not None}


def _documented(created: Created) -> CreatedData:
    fields = created.model_dump(include=set(CreatedData.model_fields) - {"request"})
    return CreatedData.model_validate(fields)
