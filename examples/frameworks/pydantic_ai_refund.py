"""pydantic-ai: a tool that needs a person (`requires_approval`). The run ends with deferred calls, a person decides.

Run it: `pip install hitl-mcp-server pydantic-ai-slim`, then `python -m examples.frameworks.pydantic_ai_refund`.
The model is a stub, so that it runs without a key; put yours in its place.
"""

# pyright: basic, reportMissingImports=false
# the frameworks are installed in an environment of their own
from __future__ import annotations

import asyncio
import json
import uuid

from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, ToolApproved, ToolDenied
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from examples.frameworks.person import asked


def stub(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """It wants a refund, then says what came of it."""
    for part in messages[-1].parts:
        if isinstance(part, ToolReturnPart):
            return ModelResponse([TextPart(f"Done: {part.content}")])
    order = messages[0].parts[-1].content
    return ModelResponse([ToolCallPart("refund", {"order": order, "amount": 120}, f"call-{uuid.uuid4()}")])


agent = Agent(FunctionModel(stub), output_type=[str, DeferredToolRequests])


@agent.tool_plain(requires_approval=True)
def refund(order: str, amount: int) -> str:
    """Give money back."""
    return f"refunded {amount} for order {order}"


async def run(order: str) -> str:
    """The agent, with a person wherever the run stops."""
    result = await agent.run(order)
    while isinstance(result.output, DeferredToolRequests):
        decided = DeferredToolResults()
        for call in result.output.approvals:
            verdict = await asked(call.tool_name, call.args_as_dict(), call.tool_call_id)
            decided.approvals[call.tool_call_id] = ToolApproved() if verdict.approved else ToolDenied(verdict.words)
        result = await agent.run(message_history=result.all_messages(), deferred_tool_results=decided)
    return result.output


if __name__ == "__main__":
    print(json.dumps({"said": asyncio.run(run("A-17"))}))
