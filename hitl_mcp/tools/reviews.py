"""The tools that ask: request_human_approval and ask_human."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult, ToolAnnotations
from pydantic import Field, WithJsonSchema

from hitl_mcp.contract.models import MAX_REQUEST_TEXT
from hitl_mcp.contract.states import Kind
from hitl_mcp.tools import wording
from hitl_mcp.tools.asking import ask
from hitl_mcp.tools.desk import Reception
from hitl_mcp.tools.questions import AnswerType, Facts, Timeout, Urgency, Wait, checked_config, deadline, new_request
from hitl_mcp.tools.results import ReviewResult
from hitl_mcp.tools.schemas import response_config_schema

if TYPE_CHECKING:
    from hitl_mcp.tools.server import HITLServer

DAY = 86_400
MAX_DETAILS = 50_000

LoopName = Annotated[str | None, Field(description=wording.LOOP)]
Config = Annotated[dict[str, Any] | None, WithJsonSchema(response_config_schema())]
Ctx = Context[Reception, Any]


def register(server: HITLServer, default_wait: float, *, merges: bool) -> None:
    """Add the tools to the server.

    Args:
        default_wait: seconds a call waits when the agent does not say.
        merges: asking the same twice is one question (H3).
    """

    @server.tool(
        title="Request human approval",
        description=wording.APPROVAL,
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=merges, open_world_hint=True
        ),
    )
    async def request_human_approval(
        ctx: Ctx,
        action: Annotated[str, Field(min_length=1, max_length=1000, description="What you will do, concretely")],
        reason: Annotated[str, Field(max_length=900, description="Why")] = "",
        details: Annotated[str, Field(max_length=MAX_DETAILS, description="Diff, command or text, as Markdown")] = "",
        context: Facts = None,
        loop: LoopName = None,
        priority: Urgency = "medium",
        timeout_seconds: Timeout = DAY,
        wait_seconds: Wait = default_wait,
    ) -> Annotated[CallToolResult, ReviewResult] | InputRequiredResult:
        text = action if not reason else f"{action}\n\n**Why:** {reason}"
        facts = dict(context or {})
        if details:
            if "details" in facts:
                raise ToolError("context.details: give the details either as details or in context, not both.")
            facts["details"] = details
        with ctx.request_context.lifespan_context.desk() as desk:
            return await ask(
                desk, ctx, "request_human_approval", loop,
                new_request(
                    {"request_text": "action and reason"}, kind=Kind.APPROVAL, request_text=text,
                    context=facts or None, priority=priority, **deadline(timeout_seconds),
                ),
                wait_seconds,
            )  # fmt: skip

    @server.tool(
        title="Ask a person",
        description=wording.ASK,
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=merges, open_world_hint=True
        ),
    )
    async def ask_human(
        ctx: Ctx,
        question: Annotated[str, Field(min_length=1, max_length=MAX_REQUEST_TEXT, description="As Markdown")],
        response_type: AnswerType,
        response_config: Config = None,
        default_response: Annotated[Any, Field(description="Reported as default when nobody answers in time")] = None,
        context: Facts = None,
        loop: LoopName = None,
        priority: Urgency = "medium",
        timeout_seconds: Timeout = DAY,
        wait_seconds: Wait = default_wait,
    ) -> Annotated[CallToolResult, ReviewResult] | InputRequiredResult:
        config = response_config or {}
        checked_config("ask_human", response_type, config, default_response)
        with ctx.request_context.lifespan_context.desk() as desk:
            return await ask(
                desk, ctx, "ask_human", loop,
                new_request(
                    {"request_text": "question"}, kind=Kind.QUESTION, request_text=question,
                    response_type=response_type, response_config=config, default_response=default_response,
                    context=context, priority=priority, **deadline(timeout_seconds),
                ),
                wait_seconds,
            )  # fmt: skip

    del request_human_approval, ask_human  # registered by their decorators
