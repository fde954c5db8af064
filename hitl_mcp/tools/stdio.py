"""The server over stdin and stdout: one caller, one desk."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
from mcp.server.mcpserver import Context
from mcp.server.stdio import stdio_server

from hitl_mcp.tools.deliveries import Deliveries, TellingStream
from hitl_mcp.tools.rounds import ROUND_SECONDS, StateKey, no_key
from hitl_mcp.tools.server import HITLServer, ToolSet

if TYPE_CHECKING:  # imported with the first call, because a stdio server must start fast
    from hitl_mcp.tools.desk import Desk, Opener, Reception


class StdioServer:
    """Serves one MCP client, following each result until it is written.

    Args:
        open_client: makes the client of the configured backend, at the first tool call.
        loop: the loop that questions go to when the agent names none.
        wait_seconds: how long a call waits when the agent does not say.
        tools: which tools are served.
        round_seconds: how long one request waits where a call can go on in another.
        state_key: seals what a call leaves for its next round.
    """

    def __init__(
        self,
        open_client: Opener,
        *,
        loop: str | None = None,
        wait_seconds: float = 45,
        tools: ToolSet = "default",
        round_seconds: float = ROUND_SECONDS,
        state_key: StateKey = no_key,
    ) -> None:
        self._open_client = open_client
        self._loop = loop
        self._round_seconds = round_seconds
        self._server = HITLServer(
            self._opened, wait_seconds=wait_seconds, merges=True, tools=tools, state_key=state_key
        )
        self._told: TellingStream | None = None
        self._tasks: anyio.abc.TaskGroup | None = None
        self._closed = anyio.Event()

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[Reception]:
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            caller = _OneCaller(lambda: self._new_desk(tasks), self._told)
            try:
                yield caller
            finally:
                tasks.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await caller.aclose()
        self._closed.set()

    def _new_desk(self, tasks: anyio.abc.TaskGroup) -> Desk:
        from hitl_mcp.tools.desk import Desk

        return Desk(self._open_client, tasks, self._loop, round_seconds=self._round_seconds)

    async def run(self) -> None:
        """Serve until stdin ends."""
        async with stdio_server() as (incoming, outgoing):
            self._told = told = TellingStream(outgoing)
            lowlevel = self._server.lowlevel
            await lowlevel.run(incoming, told, lowlevel.create_initialization_options())

    async def hang_up(self) -> None:
        """End the session and what this process hosts for it."""
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()
            await self._closed.wait()


class _OneCaller:
    def __init__(self, new_desk: Callable[[], Desk], told: TellingStream | None) -> None:
        self._new_desk = new_desk
        self._desk: Desk | None = None
        self._told = told

    def desk(self) -> Desk:
        if self._desk is None:
            self._desk = self._new_desk()
        return self._desk

    async def aclose(self) -> None:
        if self._desk is not None:
            await self._desk.aclose()

    def follow(self, ctx: Context[Any, Any], deliveries: Deliveries, request_id: str) -> None:
        if self._told is not None:
            self._told.expect(ctx.request_id, deliveries, request_id)
