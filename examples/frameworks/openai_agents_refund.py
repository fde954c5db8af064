"""OpenAI Agents SDK: a tool that needs a person (`needs_approval`). The run stops, a person decides, the run goes on.

Run it: `pip install hitl-mcp-server openai-agents`, then `python -m examples.frameworks.openai_agents_refund`.
The model is a stub, so that it runs without a key; leave `model=` out to use yours.
"""

# pyright: basic, reportMissingImports=false
# the frameworks are installed in an environment of their own
from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage, function_tool
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from examples.frameworks.person import asked


@function_tool(needs_approval=True)
def refund(order: str, amount: int) -> str:
    """Give money back.

    Args:
        order: its number.
        amount: in euros.
    """
    return f"refunded {amount} for order {order}"


class Stub(Model):
    """It wants a refund, then says what came of it."""

    async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:
        """One turn."""
        items = [{"role": "user", "content": input}] if isinstance(input, str) else input
        outputs = [item for item in items if item.get("type") == "function_call_output"]
        if outputs:
            text = ResponseOutputText(annotations=[], text=f"Done: {outputs[-1]['output']}", type="output_text")
            message = ResponseOutputMessage(
                id="msg", content=[text], role="assistant", status="completed", type="message"
            )
            return ModelResponse(output=[message], usage=Usage(), response_id=None)
        arguments = json.dumps({"order": items[0]["content"], "amount": 120})
        call_id = f"call-{uuid.uuid4()}"
        call = ResponseFunctionToolCall(arguments=arguments, call_id=call_id, name="refund", type="function_call")
        return ModelResponse(output=[call], usage=Usage(), response_id=None)

    def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Not used here."""
        raise NotImplementedError


agent = Agent(name="Support", instructions="Help with refunds.", tools=[refund], model=Stub())
QUIET = RunConfig(tracing_disabled=True)


async def run(order: str) -> str:
    """The agent, with a person wherever the run stops."""
    result = await Runner.run(agent, order, run_config=QUIET)
    while result.interruptions:
        state = result.to_state()
        for item in result.interruptions:
            wanted = item.raw_item
            verdict = await asked(item.name or "a tool", json.loads(wanted.arguments), wanted.call_id)
            if verdict.approved:
                state.approve(item)
            else:
                state.reject(item, rejection_message=verdict.words)
        result = await Runner.run(agent, state, run_config=QUIET)
    return str(result.final_output)


if __name__ == "__main__":
    print(json.dumps({"said": asyncio.run(run("A-17"))}))
