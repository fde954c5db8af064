"""The MCP server with its tools."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Literal, NamedTuple

from mcp.server.lowlevel import Server
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import ValidationError

from hitl_mcp import __version__
from hitl_mcp.errors import HITLError
from hitl_mcp.tools import requests, reviews
from hitl_mcp.tools.desk import Reception
from hitl_mcp.tools.refusals import explain
from hitl_mcp.tools.wording import INSTRUCTIONS

ToolSet = Literal["default", "compat"]
"""Which tools are served; `compat` are those of the official HITL.sh server."""


class HITLServer(MCPServer[Reception]):
    """The server, over whichever transport. Errors reach the model in words that say how to put things right.

    Args:
        reception: opens the transport's side, for as long as the server runs.
        wait_seconds: how long a call waits when the agent does not say.
            The compat tools wait only where it does.
        merges: asking the same twice is one question (H3).
        tools: which tools are served.
    """

    def __init__(
        self,
        reception: Callable[[], AbstractAsyncContextManager[Reception]],
        *,
        wait_seconds: float,
        merges: bool,
        tools: ToolSet = "default",
    ) -> None:
        served = _compat(merges=merges) if tools == "compat" else _default(wait_seconds, merges=merges)
        self._explain = served.explain
        super().__init__(
            "hitl-mcp",
            title="hitl_mcp",
            instructions=served.instructions,
            version=__version__,
            log_level="WARNING",
            lifespan=lambda _: reception(),
        )
        served.register(self)

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
            if isinstance(cause, ValidationError | HITLError | ToolError):
                raise ToolError(self._explain(name, cause)) from cause
            raise


class _Served(NamedTuple):
    """A set of tools, with what goes to the model beside them."""

    instructions: str
    explain: Callable[[str, Exception], str]
    register: Callable[[HITLServer], None]


def _default(wait_seconds: float, *, merges: bool) -> _Served:
    def register(server: HITLServer) -> None:
        reviews.register(server, wait_seconds, merges=merges)
        requests.register(server)

    return _Served(INSTRUCTIONS, explain, register)


def _compat(*, merges: bool) -> _Served:
    from hitl_mcp.tools import compat  # only where it is served, because a stdio server must start fast

    return _Served(compat.INSTRUCTIONS, compat.explain, partial(compat.register, merges=merges))
