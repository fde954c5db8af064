"""What the client needs of a kind of backend: our own service (`own`), local or a team's, or the cloud (`cloud`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from hitl_mcp.contract.models import Change, Created, NewRequest, ReviewRequest
from hitl_mcp.sdk.calls import Call
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.watch import Watch

T = TypeVar("T")


class Backend(Protocol):
    """A kind of backend.

    Attributes:
        loops_seconds: how long a list of loops is remembered.
    """

    loops_seconds: float

    async def endpoint(self) -> Endpoint:
        """Where it is, found or started when need be. Raises: Unreachable, NotConfigured."""
        ...

    async def send(self, call: Call[T]) -> T:
        """Any operation of `calls`. Raises: NotSupported where this kind cannot do it, and what the call may raise."""
        ...

    async def create(self, loop_id: str, new: NewRequest, once_key: str | None, headers: dict[str, str]) -> Created:
        """Ask. The same key and question find the same request while it is open (D12)."""
        ...

    async def look(self, request_id: str) -> ReviewRequest:
        """A request as it stands, or as it stood within `staleness`, where looking costs."""
        ...

    async def delivered(self, request_id: str) -> None:
        """The agent has the result (H2)."""
        ...

    def stream(self, after: int | None) -> AsyncIterator[Change | int]:
        """The event stream: its position, then changes. Raises: NotSupported."""
        ...

    def mark(self) -> int | None:
        """For `watching`; see `Watcher.mark`."""
        ...

    def watching(self, request: ReviewRequest, since: int | None = None) -> AbstractContextManager[Watch]:
        """Watch a request until the block ends; see `Watcher.watching`."""
        ...

    def staleness(self) -> str | None:
        """One sentence on how late a decision may be seen; None where it is seen at once."""
        ...

    async def run(self) -> None:
        """What makes waiting work; runs until cancelled."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...
