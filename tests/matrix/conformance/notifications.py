"""Tools that send notifications while they run."""

from __future__ import annotations

from typing import Any

from mcp.server.mcpserver import Context

from hitl_mcp.tools.server import HITLServer
from tests.matrix.conformance.content import ABOUT

Ctx = Context[Any, Any]


def add(server: HITLServer) -> None:
    """Add them."""

    async def progress(ctx: Ctx) -> str:
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100, f"Completed step {done} of 100")
        return "Done"

    async def logging(ctx: Ctx) -> str:
        for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await _log(ctx, words)
        return "Done"

    async def one_log(ctx: Ctx) -> str:
        await _log(ctx, "Logged")
        return "Done"

    async def reconnection(ctx: Ctx) -> str:
        await ctx.close_sse_stream()
        return "Reconnection test completed"

    async def tools_change(ctx: Ctx) -> str:
        await ctx.notify_tools_changed()
        return "Done"

    async def prompts_change(ctx: Ctx) -> str:
        await ctx.notify_prompts_changed()
        return "Done"

    for name, tool in {
        "test_tool_with_progress": progress,
        "test_tool_with_logging": logging,
        "test_logging_tool": one_log,
        "test_reconnection": reconnection,
        "test_trigger_tool_change": tools_change,
        "test_trigger_prompt_change": prompts_change,
    }.items():
        server.add_tool(tool, name=name, description=ABOUT)


async def _log(ctx: Ctx, words: str) -> None:
    await ctx.info(words)  # pyright: ignore[reportDeprecated]  # the suite asks for it nevertheless
