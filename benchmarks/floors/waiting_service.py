"""Floor of `decision_latency` and `waiting`, the service: Starlette over raw sqlite3, one durable commit a change.

A request is one row. A decision is one UPDATE committed with `synchronous=FULL`, then one line on the client's event
stream, which carries the answer itself. Prints its port, and ends when stdin closes.
"""

import asyncio
import os
import socket
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

database = sqlite3.connect(sys.argv[1], isolation_level=None, check_same_thread=False)
database.execute("PRAGMA journal_mode = WAL")
database.execute("PRAGMA synchronous = FULL")
database.execute("CREATE TABLE requests (id TEXT PRIMARY KEY, text TEXT NOT NULL, answer TEXT)")
streams: set[asyncio.Queue[bytes]] = set()


async def create(request: Request) -> JSONResponse:
    """Take a question."""
    body = await request.json()
    database.execute("INSERT INTO requests (id, text) VALUES (?, ?)", (body["id"], body["text"]))
    return JSONResponse({"id": body["id"]}, 201)


async def decide(request: Request) -> JSONResponse:
    """Answer it, once."""
    body, name = await request.json(), request.path_params["id"]
    done = database.execute("UPDATE requests SET answer = ? WHERE id = ? AND answer IS NULL", (body["answer"], name))
    if done.rowcount != 1:
        return JSONResponse({"id": name}, 409)
    line = f"{name} {body['answer']}\n".encode()
    for stream in streams:
        stream.put_nowait(line)
    return JSONResponse({"id": name})


async def known(request: Request) -> JSONResponse:
    """Whether a question has arrived."""
    row = database.execute("SELECT id FROM requests WHERE id = ?", (request.path_params["id"],)).fetchone()
    return JSONResponse({"known": row is not None})


async def count(_: Request) -> JSONResponse:
    """How many wait."""
    return JSONResponse({"open": database.execute("SELECT count(*) FROM requests WHERE answer IS NULL").fetchone()[0]})


async def _lines() -> AsyncIterator[bytes]:
    mine: asyncio.Queue[bytes] = asyncio.Queue()
    streams.add(mine)
    try:
        yield b"ready\n"
        while True:
            yield await mine.get()
    finally:
        streams.discard(mine)


async def stream(_: Request) -> StreamingResponse:
    """All answers of one client."""
    return StreamingResponse(_lines(), media_type="text/plain")


app = Starlette(
    routes=[
        Route("/requests", create, methods=["POST"]),
        Route("/requests/{id}", known),
        Route("/requests/{id}/decide", decide, methods=["POST"]),
        Route("/open", count),
        Route("/stream", stream),
    ]
)


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_keep_alive=75)
    uvicorn.Server(config).run(sockets=[listening])
