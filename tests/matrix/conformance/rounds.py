"""Tools and a prompt that ask over several rounds of one call, as 2026-07-28 has it."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server.mcpserver import Context, Resolve, Sample
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequests,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)

from hitl_mcp.tools.server import HITLServer
from tests.matrix.conformance.content import ABOUT

Ctx = Context[Any, Any]
Out = str | InputRequiredResult


def add(server: HITLServer) -> None:
    """Add them."""
    for name, tool in {
        "elicitation": _elicitation,
        "sampling": _sampling,
        "list_roots": _list_roots,
        "request_state": _state,
        "tampered_state": _state,
        "multiple_inputs": _several,
        "multi_round": _three_rounds,
        "capabilities": _capabilities,
    }.items():
        server.add_tool(tool, name=f"test_input_required_result_{name}", description=ABOUT)
    server.add_tool(_streaming, name="test_streaming_elicitation", description=ABOUT)
    server.add_tool(_needs_sampling, name="test_missing_capability", description=ABOUT)
    server.prompt(name="test_input_required_result_prompt", description=ABOUT)(_prompt)


def _form(message: str, **fields: str) -> ElicitRequest:
    properties = {name: {"type": kind} for name, kind in fields.items()}
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": list(fields)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _said(text: str) -> list[SamplingMessage]:
    return [SamplingMessage(role="user", content=TextContent(type="text", text=text))]


def _sample(text: str) -> CreateMessageRequest:
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=_said(text), max_tokens=100))


def _answers(ctx: Ctx) -> dict[str, Any]:
    return dict(ctx.input_responses or {})


async def _elicitation(ctx: Ctx) -> Out:
    answer = _answers(ctx).get("user_name")
    if not isinstance(answer, ElicitResult):
        return InputRequiredResult(input_requests={"user_name": _form("What is your name?", name="string")})
    return f"Hello, {(answer.content or {}).get('name')}!"


async def _sampling(ctx: Ctx) -> Out:
    answer = _answers(ctx).get("capital_question")
    if answer is None:
        return InputRequiredResult(input_requests={"capital_question": _sample("What is the capital of France?")})
    return str(answer.content.text)


async def _list_roots(ctx: Ctx) -> Out:
    answer = _answers(ctx).get("client_roots")
    if answer is None:
        return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})
    return str(len(answer.roots))


async def _state(ctx: Ctx) -> Out:
    if "confirm" not in _answers(ctx):
        return InputRequiredResult(input_requests={"confirm": _form("Confirm?", ok="boolean")}, request_state="sealed")
    return "state-ok" if ctx.request_state == "sealed" else "state-bad"


async def _several(ctx: Ctx) -> Out:
    answers = _answers(ctx)
    if not {"user_name", "greeting", "client_roots"} <= set(answers):
        return InputRequiredResult(
            input_requests={
                "user_name": _form("What is your name?", name="string"),
                "greeting": _sample("Generate a greeting"),
                "client_roots": ListRootsRequest(),
            },
            request_state="several",
        )
    name = answers["user_name"].content.get("name")
    return f"{name} {answers['greeting'].content.text} {len(answers['client_roots'].roots)}"


async def _three_rounds(ctx: Ctx) -> Out:
    asks: InputRequests
    answers, state = _answers(ctx), ctx.request_state
    if state is None:
        asks = {"step1": _form("Step 1: What is your name?", name="string")}
        return InputRequiredResult(input_requests=asks, request_state="first")
    if state == "first":
        asks = {"step2": _form("Step 2: What is your favorite color?", color="string")}
        return InputRequiredResult(input_requests=asks, request_state=f"second:{answers['step1'].content['name']}")
    return f"{state.removeprefix('second:')} likes {answers['step2'].content['color']}"


async def _capabilities(ctx: Ctx) -> Out:
    if ctx.input_responses:
        return "Done"
    asks: InputRequests = {}
    has = ctx.client_capabilities
    if has and has.sampling:
        asks["sampling"] = _sample("Say hello")
    if has and has.elicitation:
        asks["elicitation"] = _form("What is your name?", name="string")
    return InputRequiredResult(input_requests=asks)


async def _streaming(ctx: Ctx) -> Out:
    if ctx.input_responses:
        return "Done"
    return InputRequiredResult(input_requests={"elicitation": _form("What is your name?", name="string")})


async def _ask_to_sample() -> Sample:
    return Sample(_said("Say hello"), max_tokens=10)


async def _needs_sampling(answer: Annotated[CreateMessageResult, Resolve(_ask_to_sample)]) -> str:
    return "Done"


async def _prompt(ctx: Ctx) -> Out:
    answer = _answers(ctx).get("user_context")
    if answer is None:
        asks: InputRequests = {"user_context": _form("What context should the prompt use?", context="string")}
        return InputRequiredResult(input_requests=asks)
    return f"Use this context: {answer.content['context']}"
