"""Which results have reached the agent (H2).

A tool says which request a call is about to answer; when the transport has taken that call's response, the delivery is
recorded with the backend. Cancelled calls send no response, so they never count. Where the same question may be merged
(stdio, H3) no new one is asked until every delivery is recorded, because an unrecorded one could make an old decision
answer it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Protocol, Self

import anyio
import anyio.abc
from mcp.shared.message import SessionMessage
from mcp.types import CONNECTION_CLOSED, JSONRPCError, JSONRPCResponse, RequestId

RECORD_AFTER_SECONDS = 0.5

Record = Callable[[str], Awaitable[None]]


class Deliveries:
    """One caller's results that were handed over, until that is recorded.

    Args:
        record: tells the backend about one delivered request.
        tasks: records in this task group's background.
    """

    def __init__(self, record: Record, tasks: anyio.abc.TaskGroup) -> None:
        self._record = record
        self._tasks = tasks
        self._unrecorded: set[str] = set()
        self._lock = anyio.Lock()
        self._recording = False

    def delivered(self, request_id: str) -> None:
        """The agent has this request's result."""
        self._unrecorded.add(request_id)
        if not self._recording:
            self._recording = True
            self._tasks.start_soon(self._record_soon)

    async def settle(self) -> None:
        """Record what is not recorded yet. Raises: what `record` raises; call it again then."""
        async with self._lock:
            for request_id in tuple(self._unrecorded):
                await self._record(request_id)
                self._unrecorded.discard(request_id)

    async def _record_soon(self) -> None:
        """Several at once, and out of the way of the next decision. `settle` does not wait for this."""
        await anyio.sleep(RECORD_AFTER_SECONDS)
        self._recording = False
        try:
            await self.settle()
        except Exception:  # boundary: `settle` runs again, and must succeed, before the next question
            return


class Sink(Protocol):
    """Where a transport takes messages."""

    async def send(self, item: SessionMessage, /) -> None:
        """Take one message."""
        ...

    async def aclose(self) -> None:
        """Take no more."""
        ...


class TellingStream:
    """A connection's write stream that sees which responses the transport has taken."""

    def __init__(self, inner: Sink) -> None:
        self._inner = inner
        self._expected: dict[str, list[tuple[Deliveries, str]]] = {}

    # the SDK hands a call's id to tools as text, whatever it was on the wire
    def expect(self, call_id: RequestId | None, deliveries: Deliveries, request_id: str) -> None:
        """The call is about to return this request's final result, beside others it may return."""
        self._expected.setdefault(str(call_id), []).append((deliveries, request_id))

    async def send(self, item: SessionMessage, /) -> None:
        """Hand the message on; a response that got through counts as delivered.

        That the connection is closed is not said on it: there a client that is leaving would have to read it.
        """
        if isinstance(item.message, JSONRPCError) and item.message.error.code == CONNECTION_CLOSED:
            return
        await self._inner.send(item)
        if isinstance(item.message, JSONRPCResponse):
            for deliveries, request_id in self._expected.pop(str(item.message.id), ()):
                deliveries.delivered(request_id)

    async def aclose(self) -> None:
        """Close the inner stream."""
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()
