"""The stdio MCP server: what an MCP client starts. Starting it touches nothing (D13)."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from hitl_mcp.errors import NotConfigured
from hitl_mcp.settings import Settings, read_settings
from hitl_mcp.tools.stdio import StdioServer

if TYPE_CHECKING:
    from hitl_mcp.sdk.aio import AsyncHITLClient

END_SECONDS = 4.0
BY_HAND = """\
This is the hitl-mcp stdio server: it speaks JSON-RPC to an MCP client and is not meant to be typed to.
  hitl-mcp config claude-desktop   shows what to put into your client's configuration
  hitl-mcp demo                    shows how it works
  hitl-mcp --help                  lists the other commands
Press Ctrl+C to end it.
"""


def main() -> int:
    """Serve until stdin ends; the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT):  # until `_end_on_signal` listens; nothing is open yet
        signal.signal(number, _leave)
    if sys.stdin is not None and sys.stdin.isatty():
        sys.stderr.write(BY_HAND)
    settings: Settings | None = None
    problem = ""
    try:
        settings = read_settings()
    except NotConfigured as error:
        problem = str(error)
        sys.stderr.write(f"hitl-mcp: {problem}\n")

    def open_client(tasks: anyio.abc.TaskGroup) -> AsyncHITLClient:
        from hitl_mcp.backends import open_backend

        if settings is None:
            raise NotConfigured(problem)
        return open_backend(settings, tasks)

    def state_key() -> bytes | None:
        from hitl_mcp.sdk.local import request_state_key

        return request_state_key(settings.data_dir) if settings is not None else None

    server = StdioServer(
        open_client,
        loop=settings.loop if settings else None,
        wait_seconds=settings.wait_seconds if settings else 45,
        tools=settings.tools if settings else "default",
        round_seconds=settings.round_seconds if settings else 40,
        state_key=state_key,
    )
    anyio.run(_serve, server)
    return 0


def _leave(_number: int, _frame: object) -> None:
    os._exit(0)


async def _serve(server: StdioServer) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_end_on_signal, server)
        await server.run()
        tasks.cancel_scope.cancel()


async def _end_on_signal(server: StdioServer) -> None:
    """A normal exit would wait for the thread that reads stdin. A service hosted here is ended in order first (H26)."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            with anyio.move_on_after(END_SECONDS, shield=True):
                await server.hang_up()
            os._exit(0)
