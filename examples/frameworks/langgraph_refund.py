"""LangGraph: a tool that needs a person. The graph stops with `interrupt`, and goes on with what the person decided.

Run it: `pip install hitl-mcp-server langgraph`, then `python -m examples.frameworks.langgraph_refund`.
The model is a stub, so that it runs without a key; put yours in its place.
"""

# pyright: basic, reportMissingImports=false
# the frameworks are installed in an environment of their own
from __future__ import annotations

import asyncio
import json
import uuid

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from examples.frameworks.person import asked


def refund(order: str, amount: int) -> str:
    """The tool: gives money back."""
    return f"refunded {amount} for order {order}"


def model(state: MessagesState) -> dict:
    """A stub: it wants a refund, then says what came of it."""
    last = state["messages"][-1]
    if isinstance(last, HumanMessage):
        call = {"name": "refund", "args": {"order": last.content, "amount": 120}, "id": f"call-{uuid.uuid4()}"}
        return {"messages": [AIMessage("", tool_calls=[call])]}
    return {"messages": [AIMessage(f"Done: {last.content}")]}


def tools(state: MessagesState) -> dict:
    """Calls what the model wants, once a person has let it. The node runs again from its top when it goes on."""
    done = []
    for call in state["messages"][-1].tool_calls:
        verdict = interrupt({"tool": call["name"], "arguments": call["args"], "call_id": call["id"]})
        said = refund(**call["args"]) if verdict["approved"] is True else verdict["words"]
        done.append(ToolMessage(said, tool_call_id=call["id"]))
    return {"messages": done}


def after_model(state: MessagesState) -> str:
    """Tools, as long as the model wants some."""
    return "tools" if state["messages"][-1].tool_calls else END


graph = (
    StateGraph(MessagesState)
    .add_node("model", model)
    .add_node("tools", tools)
    .add_edge(START, "model")
    .add_conditional_edges("model", after_model)
    .add_edge("tools", "model")
    .compile(checkpointer=InMemorySaver())  # in production one that outlives the process
)


async def run(order: str) -> str:
    """The agent, with a person wherever the graph stops."""
    config = {"configurable": {"thread_id": str(uuid.uuid4())}}
    state = await graph.ainvoke({"messages": [HumanMessage(order)]}, config)
    while waiting := state.get("__interrupt__"):
        verdict = await asked(**waiting[0].value)
        resume = {"approved": verdict.approved, "words": verdict.words}
        state = await graph.ainvoke(Command(resume=resume), config)
    return state["messages"][-1].content


if __name__ == "__main__":
    print(json.dumps({"said": asyncio.run(run("A-17"))}))
