"""Floor of `http_waiting`: the SDK's server over streamable HTTP, whose tool waits for an event. Prints its port."""

import os
import socket
import sys
import threading
from typing import Any

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from starlette.requests import Request
from starlette.responses import JSONResponse

server = MCPServer("floor", log_level="WARNING")
released = anyio.Event()
waiting = 0
BEAT_SECONDS = 8.0


@server.tool()
async def ask(action: str, ctx: Context[Any, Any]) -> str:
    """Ask, wait, answer."""
    global waiting
    meta = ctx.request_context.meta
    listens, waited = bool(meta and meta.get("progress_token") is not None), 0.0
    waiting += 1
    while not released.is_set():
        if not listens:
            await released.wait()
            break
        await ctx.report_progress(waited, 3600, "Waiting for a person")
        with anyio.move_on_after(BEAT_SECONDS):
            await released.wait()
        waited += BEAT_SECONDS
    return f"{action}: approved"


@server.custom_route("/open", methods=["GET"])
async def opened(_: Request) -> JSONResponse:
    """How many wait."""
    return JSONResponse({"open": waiting})


@server.custom_route("/release", methods=["POST"])
async def release(_: Request) -> JSONResponse:
    """Let them all go."""
    released.set()
    return JSONResponse({})


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    sys.setswitchinterval(0.001)
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(server.streamable_http_app(), log_config=None, access_log=False, timeout_keep_alive=75)
    uvicorn.Server(config).run(sockets=[listening])
