"""Floor of `creates`: FastAPI, one pydantic body, one durable SQLite commit in the event loop. Prints its port."""

import os
import secrets
import socket
import sqlite3
import sys
import threading

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

database = sqlite3.connect(sys.argv[1], isolation_level=None, check_same_thread=False)
database.execute("PRAGMA journal_mode = WAL")
database.execute("PRAGMA synchronous = FULL")
database.execute("CREATE TABLE requests (id TEXT PRIMARY KEY, loop_id TEXT, kind TEXT, timeout INTEGER, text TEXT)")
app = FastAPI()


class NewRequest(BaseModel):
    """The body."""

    kind: str
    timeout_seconds: int
    request_text: str


class Created(BaseModel):
    """The reply."""

    request_id: str
    status: str


@app.post("/v1/api/loops/{loop_id}/requests", status_code=201)
async def create(loop_id: str, new: NewRequest) -> Created:
    """One row, durable before the answer."""
    name = secrets.token_hex(12)
    row = (name, loop_id, new.kind, new.timeout_seconds, new.request_text)
    database.execute("INSERT INTO requests VALUES (?, ?, ?, ?, ?)", row)
    return Created(request_id=name, status="pending")


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_keep_alive=75)
    uvicorn.Server(config).run(sockets=[listening])
