"""Ring 3: the backend that the settings choose, with a local service that is started when it is needed."""

from __future__ import annotations

import anyio.abc

from hitl_mcp.launcher import LocalService
from hitl_mcp.sdk.aio import AsyncHITLClient
from hitl_mcp.sdk.choosing import choice_of, opened
from hitl_mcp.sdk.connection import Connection
from hitl_mcp.sdk.endpoint import Fixed
from hitl_mcp.settings import Settings


def open_backend(settings: Settings, host: anyio.abc.TaskGroup | None = None) -> AsyncHITLClient:
    """A client of the backend that the settings choose. Touches nothing until its first call.

    Args:
        host: where the local service may run when no background process can be started.

    Raises: NotConfigured.
    """
    choice = choice_of(settings)
    resolver = LocalService(settings, host) if choice.kind == "local" else Fixed(choice.endpoint())
    connection = Connection(resolver, timeout=settings.timeout)
    return AsyncHITLClient(backend=opened(choice, connection, settings.data_dir))
