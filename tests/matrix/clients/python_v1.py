"""The Python SDK 1.x, as its users write it. Runs in an environment of its own, where `mcp` is that version.

Only names that 2.x has as well are used, and results are read as they are on the wire, so types are checked here too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
from mcp import ClientSession, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from story import Wire, tell


class Session:
    """See `Caller`."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def tools(self) -> list[Wire]:
        return (await self._session.list_tools()).model_dump(mode="json", by_alias=True)["tools"]

    async def call(self, name: str, arguments: Wire, heard: Callable[[str], None] | None = None) -> Wire:
        async def heed(progress: float, total: float | None, message: str | None) -> None:
            if heard is not None:
                heard(message or "")

        result = await self._session.call_tool(name, arguments, progress_callback=heed if heard else None)
        return result.model_dump(mode="json", by_alias=True)


@asynccontextmanager
async def connected(how: Wire) -> AsyncGenerator[ClientSession]:
    """A session over the transport asked for, before the handshake."""
    async with AsyncExitStack() as stack:
        streams: Any
        if how["transport"] == "stdio":
            server = StdioServerParameters(command=how["command"], args=how["args"], env=how["env"])
            streams = await stack.enter_async_context(stdio_client(server))
        elif how["transport"] == "sse":
            streams = await stack.enter_async_context(sse_client(how["url"], headers=how["headers"]))
        else:
            http = await stack.enter_async_context(create_mcp_http_client(headers=how["headers"]))
            streams = await stack.enter_async_context(streamable_http_client(how["url"], http_client=http))
        yield await stack.enter_async_context(ClientSession(streams[0], streams[1]))


async def main() -> None:
    """Connect, let the client tell, and write that as one line."""
    how = json.loads(sys.argv[1])
    async with connected(how) as session:
        met: Any = (await session.initialize()).model_dump(mode="json", by_alias=True)
        told = await tell(Session(session), leaves=how["leaves"])
    line = {
        "protocol": met["protocolVersion"],
        "server": met["serverInfo"],
        "capabilities": met["capabilities"],
        "instructions": met["instructions"],
    }
    print(json.dumps({**line, **told}))


if __name__ == "__main__":
    anyio.run(main)
