"""`hitl-mcp doctor`: whether everything that a question needs on its way to a person and back is in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from hitl_mcp.backends import open_backend
from hitl_mcp.doctor import backend, readiness, request, service
from hitl_mcp.doctor.finding import Finding
from hitl_mcp.errors import HITLError
from hitl_mcp.sdk.choosing import choice_of
from hitl_mcp.settings import Settings

__all__ = ["Finding", "examine"]


async def examine(
    settings: Settings, request_id: str | None = None, *, production: bool = False
) -> AsyncGenerator[Finding]:
    """Look at the backend that the settings choose, and at one request where it is named.

    A service of this machine is looked at from its console, another backend with the key. Nothing is changed; on the
    cloud it costs a few calls of the key's budget.
    """
    try:
        choice = choice_of(settings)
    except HITLError as error:
        yield Finding("fail", "backend", str(error))
        return
    if choice.kind == "local":
        where = "the database in HITL_DATABASE_URL" if settings.database_url else settings.data_dir
        yield Finding("ok", "backend", f"local, this machine's own service on {where}")
        async for found in service.examine(settings):
            yield found
        if production:
            async for found in readiness.examine(settings):
                yield found
        if request_id is not None and settings.database_url is not None:
            words = "with HITL_DATABASE_URL this is the server's side; ask with the key that made it (HITL_BASE_URL)"
            yield Finding("warn", "request", words)
            return
    if production and choice.kind != "local":
        words = "looked at from the server's own console only. Run `hitl-mcp doctor --production` there"
        yield Finding("warn", "production", words)
    async with open_backend(settings) as client:
        if choice.kind != "local":
            async for found in backend.examine(settings, choice, client):
                yield found
        if request_id is not None:
            async for found in request.examine(client, request_id):
                yield found
