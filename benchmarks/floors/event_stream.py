"""Floor of `inbox_live`: a page, and a bare event stream that makes it fetch itself again. Prints its port."""

import json
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.routing import Route

said: list[str] = []
listeners: set[anyio.Event] = set()
PAGE = """<!doctype html><html><body><ul id="requests">{lines}</ul><script>
new EventSource("/live").addEventListener("change", async () => {{
  const page = new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
  document.getElementById("requests").replaceWith(document.adoptNode(page.getElementById("requests")));
}});</script></body></html>"""


async def page(_: Request) -> HTMLResponse:
    """What was said last."""
    lines = "".join(f'<li class="card"><a id="open-{one}">{one}</a></li>' for one in said[-50:])
    return HTMLResponse(PAGE.format(lines=lines))


async def say(request: Request) -> JSONResponse:
    """One more, and everybody is told."""
    said.append(request.path_params["name"])
    for listener in listeners:
        listener.set()
    listeners.clear()
    return JSONResponse({})


async def live(_: Request) -> StreamingResponse:
    """The stream."""

    async def events() -> AsyncIterator[str]:
        yield "event: ready\ndata: {}\n\n"
        while True:
            listener = anyio.Event()
            listeners.add(listener)
            await listener.wait()
            yield f"event: change\ndata: {json.dumps({'request_id': said[-1]})}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    app = Starlette(routes=[Route("/", page), Route("/say/{name}", say, methods=["POST"]), Route("/live", live)])
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listening])
