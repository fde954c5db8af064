"""Floor of `processes` and `processes_creates`: one of several processes on one PostgreSQL, with the bare driver
(asyncpg) and the bare frameworks (FastAPI; the MCP SDK's own server).

A decision is one UPDATE and one NOTIFY in a transaction; a create is one transaction with two rows. The argument is the
database's URL. Prints its port.
"""

import asyncio
import os
import secrets
import socket
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import asyncpg
import uvicorn
from fastapi import FastAPI
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel

TABLES = """
    CREATE TABLE IF NOT EXISTS requests (
        id text PRIMARY KEY, loop_id text, kind text, timeout integer, text text, answer text);
    CREATE TABLE IF NOT EXISTS events (position bigserial PRIMARY KEY, request_id text, type text, data text);
"""
waiting: dict[str, anyio.Event] = {}
answers: dict[str, str] = {}
pool: Any = None
mcp = MCPServer("floor", log_level="WARNING")


class NewRequest(BaseModel):
    """The body of a create."""

    kind: str
    timeout_seconds: int
    request_text: str


class Created(BaseModel):
    """The reply of a create."""

    request_id: str
    status: str


async def _insert(name: str, loop_id: str, kind: str, timeout: int, text: str) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO requests VALUES ($1, $2, $3, $4, $5, NULL)", name, loop_id, kind, timeout, text
        )
        await connection.execute("INSERT INTO events VALUES (DEFAULT, $1, 'created', $2)", name, text)


@mcp.tool()
async def ask(action: str, ctx: Context[Any, Any]) -> str:
    """Ask, wait, answer."""
    waiting[action] = anyio.Event()
    await _insert(action, "0" * 24, "approval", 3600, action)
    await waiting[action].wait()
    del waiting[action]
    return answers.pop(action)


def _heard(_connection: object, _pid: int, _channel: str, payload: object) -> None:
    name, _, answer = str(payload).partition(" ")
    if name in waiting:
        answers[name] = answer
        waiting[name].set()


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncGenerator[None]:
    global pool
    ear: Any = await asyncpg.connect(sys.argv[1])
    await ear.execute(TABLES)
    pool = await asyncpg.create_pool(sys.argv[1], min_size=8, max_size=8)
    await ear.add_listener("floor", _heard)
    async with mcp.session_manager.run():
        yield


inner = mcp.streamable_http_app()
app = FastAPI(lifespan=_lifespan)


@app.post("/v1/api/loops/{loop_id}/requests", status_code=201)
async def create(loop_id: str, new: NewRequest) -> Created:
    """Two rows, durable before the answer."""
    name = secrets.token_hex(12)
    await _insert(name, loop_id, new.kind, new.timeout_seconds, new.request_text)
    return Created(request_id=name, status="pending")


@app.get("/open")
async def count() -> dict[str, int]:
    """How many calls wait in this process."""
    return {"open": len(waiting)}


@app.post("/decide/{name}")
async def decide(name: str) -> dict[str, str]:
    """Answer, once."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE requests SET answer = 'approve' WHERE id = $1 AND answer IS NULL", name)
        await connection.execute("SELECT pg_notify('floor', $1)", f"{name} approve")
    return {"id": name}


app.mount("/", inner)


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


async def _serve(listening: socket.socket) -> None:
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_keep_alive=75)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    print(listening.getsockname()[1], flush=True)
    await serving


if __name__ == "__main__":
    sys.setswitchinterval(0.001)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    bound = socket.create_server(("127.0.0.1", 0), backlog=2048)
    anyio.run(_serve, bound, backend_options={"use_uvloop": sys.platform != "win32"})
