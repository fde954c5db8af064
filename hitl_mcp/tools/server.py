"""The MCP server with its tools."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import ValidationError

from hitl_mcp import __version__
from hitl_mcp.contract.answers import first_fault
from hitl_mcp.errors import HITLError
from hitl_mcp.tools import requests, reviews
from hitl_mcp.tools.desk import Reception
from hitl_mcp.tools.wording import INSTRUCTIONS


class HITLServer(MCPServer[Reception]):
    """The server, over whichever transport. Errors reach the model in words that say how to put things right.

    Args:
        reception: opens the transport's side, for as long as the server runs.
        wait_seconds: how long a call waits when the agent does not say.
        merges: asking the same twice is one question (H3).
    """

    def __init__(
        self, reception: Callable[[], AbstractAsyncContextManager[Reception]], *, wait_seconds: float, merges: bool
    ) -> None:
        super().__init__(
            "hitl-mcp",
            title="hitl_mcp",
            instructions=INSTRUCTIONS,
            version=__version__,
            log_level="WARNING",
            lifespan=lambda _: reception(),
        )
        reviews.register(self, wait_seconds, merges=merges)
        requests.register(self)

    @property
    def lowlevel(self) -> Server[Any]:
        """What transports serve; MCPServer itself has no public way to a transport of one's own."""
        return self._lowlevel_server

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Reception, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; every foreseen failure reaches the model in our own words."""
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError):
                where, why = first_fault(cause)
                raise ToolError(
                    f"{'.'.join(where) or 'arguments'}: {why}. Correct it and call {name} again."
                ) from cause
            if isinstance(cause, HITLError):
                raise ToolError(str(cause)) from cause
            if isinstance(cause, ToolError):
                raise ToolError(str(cause)) from cause
            raise
