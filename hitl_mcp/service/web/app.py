"""Puts the service together: API, inbox, doorstep and MCP behind the guard."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from hitl_mcp import __version__
from hitl_mcp.service.api import (
    channels,
    events,
    first_generation,
    health,
    hooks,
    keys,
    local,
    loops,
    measures,
    members,
    operating,
    people,
    record,
    requests,
    reviews,
    templates,
    tokens,
    webhooks,
)
from hitl_mcp.service.browser import browser_routes
from hitl_mcp.service.context import Services
from hitl_mcp.service.description.pages import description_routes
from hitl_mcp.service.inbox import create_doorstep, create_inbox
from hitl_mcp.service.web import envelope
from hitl_mcp.service.web.auth import KnownKeys
from hitl_mcp.service.web.guard import Faces, Guard
from hitl_mcp.service.web.limits import RateHeaders
from hitl_mcp.service.web.methods import AllowedMethods
from hitl_mcp.service.web.prefixes import Prefixes

EXPOSED = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After", "X-Request-Id",
           "Mcp-Session-Id"]  # fmt: skip

PARTS = (
    requests, first_generation, loops, members, templates, webhooks, hooks, reviews, events, local, channels, keys,
    people,
    tokens, health, operating, record, measures,
)  # fmt: skip


def create_api(services: Services) -> FastAPI:
    """The JSON API."""
    app = FastAPI(title="hitl_mcp", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.services = services
    app.state.known_keys = KnownKeys(services)
    envelope.install(app)
    for part in PARTS:
        app.include_router(part.router)
    app.router.routes.extend(description_routes(app.openapi, services.keys.public_address))
    app.router.routes.extend(browser_routes())
    return app


def create_app(services: Services, mcp: ASGIApp | None = None) -> ASGIApp:
    """The whole service as one ASGI application.

    Args:
        mcp: MCP over HTTP, made by whoever knows the tools.
    """
    operations = create_api(services)
    routes = [*operations.routes, *(route for part in PARTS for route in part.router.routes)]
    api: ASGIApp = Prefixes(RateHeaders(AllowedMethods(operations, routes), services))
    faces = Faces(
        _for_origins(api, services), create_inbox(services), create_doorstep(services),
        None if mcp is None else _for_origins(mcp, services),
    )  # fmt: skip
    return Guard(faces, services.keys)


def _for_origins(app: ASGIApp, services: Services) -> ASGIApp:
    """Let pages of the operator's list of origins call (CORS). No cookie is ever taken by these applications."""
    if not services.cors_origins:
        return app
    return CORSMiddleware(
        app, allow_origins=services.cors_origins, allow_methods=["*"], allow_headers=["*"], expose_headers=EXPOSED,
        max_age=600,
    )  # fmt: skip
