"""Puts the service together: API, inbox and doorstep behind the guard."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp

from hitl_mcp import __version__
from hitl_mcp.service import envelope
from hitl_mcp.service.api import events, local, loops, requests, reviews
from hitl_mcp.service.context import Services
from hitl_mcp.service.guard import Guard
from hitl_mcp.service.inbox import create_doorstep, create_inbox


def create_api(services: Services) -> FastAPI:
    """The JSON API."""
    app = FastAPI(title="hitl_mcp", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.services = services
    envelope.install(app)
    for part in (requests, reviews, loops, events, local):
        app.include_router(part.router)
    return app


def create_app(services: Services) -> ASGIApp:
    """The whole service as one ASGI application."""
    return Guard(create_api(services), create_inbox(services), create_doorstep(services), services.keys)
