"""The MCP server with its tools."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.stdio import stdio_server
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import ValidationError

from hitl_mcp import __version__
from hitl_mcp.contract.answers import first_fault
from hitl_mcp.errors import HITLError
from hitl_mcp.tools import requests, reviews
from hitl_mcp.tools.deliveries import Deliveries, TellingStream
from hitl_mcp.tools.desk import Desk, Opener
from hitl_mcp.tools.wording import INSTRUCTIONS


class HITLServer(MCPServer[Desk]):
    """The server. Errors reach the model in words that say how to put things right.

    Args:
        open_client: makes the client of the configured backend, at the first tool call.
        loop: the loop that questions go to when the agent names none.
        wait_seconds: how long a call waits when the agent does not say.
    """

    def __init__(self, open_client: Opener, *, loop: str | None = None, wait_seconds: float = 45) -> None:
        self._open_client = open_client
        self._loop = loop
        self._deliveries = Deliveries(self._record)
        self._desk: Desk | None = None
        self._tasks: anyio.abc.TaskGroup | None = None
        self._closed = anyio.Event()
        super().__init__(
            "hitl-mcp",
            title="hitl_mcp",
            instructions=INSTRUCTIONS,
            version=__version__,
            log_level="WARNING",
            lifespan=HITLServer._opened,
        )
        reviews.register(self, wait_seconds)
        requests.register(self)

    @asynccontextmanager
    async def _opened(self: Any) -> AsyncGenerator[Desk]:
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            desk = Desk(self._open_client, tasks, self._loop, self._deliveries)
            self._desk = desk
            self._deliveries.start(tasks)
            try:
                yield desk
            finally:
                tasks.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await desk.aclose()
        self._closed.set()

    async def hang_up(self) -> None:
        """End the session and what this process hosts for it."""
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()
            await self._closed.wait()

    async def _record(self, request_id: str) -> None:
        if self._desk is not None:
            await self._desk.deliver(request_id)

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Desk, Any] | None = None
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

    async def run_stdio_async(self) -> None:
        """Serve stdin and stdout, following each result until it is written."""
        async with stdio_server() as (incoming, outgoing):
            told = TellingStream(outgoing, self._deliveries)
            options = self._lowlevel_server.create_initialization_options()
            await self._lowlevel_server.run(incoming, told, options)
