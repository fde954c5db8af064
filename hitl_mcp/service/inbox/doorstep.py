"""What loopback names show to whoever asks: where the inbox can be opened, and nothing else (H13).

Agents know this address, so it tells neither the inbox's host nor anything about a question.
"""

from __future__ import annotations

import re

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.app import install
from hitl_mcp.service.inbox.doors import MAX_FIELDS, opened
from hitl_mcp.service.inbox.files import static_route
from hitl_mcp.service.inbox.forms import text_of
from hitl_mcp.service.inbox.headers import SecureHeaders
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import check_origin
from hitl_mcp.service.inbox.texts import Languages

_REQUEST = re.compile(r"/requests/([0-9a-f]{24})/?")


def create_doorstep(services: Services) -> ASGIApp:
    """The page at `http://localhost:PORT/anything`."""
    origins = [f"http://{name}:{services.keys.port}" for name in ("localhost", "127.0.0.1")]

    async def show(request: Request) -> Response:
        found = _REQUEST.fullmatch(request.url.path)
        return page("doorstep.html", page="doorstep", request_id=found.group(1) if found else None)

    async def open_inbox(request: Request) -> Response:
        check_origin(request, *origins)
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
        return await opened(services, text_of(form, "request"))

    app = Starlette(
        routes=[
            Route("/open", open_inbox, methods=["POST"]),
            static_route(frozenset(("inbox.css", "forms.css", "favicon.svg"))),
            Route("/{path:path}", show),
        ]
    )
    install(app)
    return SecureHeaders(Languages(app, services.locales))
