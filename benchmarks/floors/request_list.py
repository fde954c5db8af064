"""The least that a backend can do: whatever is asked, the bytes that came on stdin's first line. Prints its port."""

import os
import socket
import sys
import threading
from typing import Any

import uvicorn

body = sys.stdin.buffer.readline().strip()
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """ASGI, without reading."""
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": body})


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_keep_alive=75)
    uvicorn.Server(config).run(sockets=[listening])
