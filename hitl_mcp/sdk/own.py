"""Our own service as a backend, on this machine or a team's: every operation, and decisions as they happen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import TypeVar

from hitl_mcp.contract.models import Change, Created, NewRequest, ReviewRequest
from hitl_mcp.sdk import calls
from hitl_mcp.sdk.calls import Call
from hitl_mcp.sdk.connection import Connection
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.watch import Watch, Watcher

T = TypeVar("T")


class OwnService:
    """See `Backend`.

    Args:
        connection: the way to the service.
    """

    loops_seconds = 3.0

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._watcher = Watcher(self)

    async def endpoint(self) -> Endpoint:
        """See `Backend`."""
        return await self._connection.endpoint()

    async def send(self, call: Call[T]) -> T:
        """See `Backend`."""
        return await self._connection.send(call)

    async def create(self, loop_id: str, new: NewRequest, once_key: str | None, headers: dict[str, str]) -> Created:
        """See `Backend`. With a key it is repeated when no answer came."""
        call = calls.create_request(loop_id, new, once_key)
        call.headers.update(headers)
        return await self.send(call)

    async def look(self, request_id: str) -> ReviewRequest:
        """See `Backend`."""
        return await self.send(calls.get_request(request_id))

    async def delivered(self, request_id: str) -> None:
        """See `Backend`."""
        await self.send(calls.deliver_request(request_id))

    def mark(self) -> int | None:
        """See `Backend`."""
        return self._watcher.mark()

    def watching(self, request: ReviewRequest, since: int | None = None) -> AbstractContextManager[Watch]:
        """See `Backend`."""
        return self._watcher.watching(request, since)

    def staleness(self) -> str | None:
        """See `Backend`."""
        return None

    async def run(self) -> None:
        """See `Backend`."""
        await self._watcher.run()

    async def aclose(self) -> None:
        """See `Backend`."""
        await self._connection.aclose()

    async def get_request(self, request_id: str) -> ReviewRequest:
        """For the watcher."""
        return await self.look(request_id)

    async def changes_after(self, position: int | None) -> tuple[list[Change], int]:
        """For the watcher."""
        return await self.send(calls.list_changes(position))

    def stream(self, after: int | None) -> AsyncIterator[Change | int]:
        """See `Backend`."""
        return self._connection.stream(after)
