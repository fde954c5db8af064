"""Ring 3: which backend the settings mean. Today the local service only; the cloud and team servers follow."""

from __future__ import annotations

import anyio.abc

from hitl_mcp.launcher import LocalService
from hitl_mcp.sdk.aio import AsyncHITLClient
from hitl_mcp.settings import Settings, check_backend


def open_backend(settings: Settings, host: anyio.abc.TaskGroup | None = None) -> AsyncHITLClient:
    """A client of the backend that the settings choose. Touches nothing until its first call.

    Args:
        host: where the local service may run when no background process can be started.

    Raises: NotConfigured.
    """
    check_backend(settings)
    return AsyncHITLClient(LocalService(settings, host))
