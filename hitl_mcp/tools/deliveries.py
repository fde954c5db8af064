"""Which results have reached the agent (H2).

A tool says which request a call is about to answer; when the transport has taken that call's response, the delivery is
recorded with the backend. Cancelled calls send no response, so they never count. Until a delivery is recorded no new
question is asked, because an unrecorded one could make an old decision answer it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Protocol, Self

import anyio
import anyio.abc
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCResponse, RequestId

RECORD_AFTER_SECONDS = 0.5

Record = Callable[[str], Awaitable[None]]


class Deliveries:
    """Follows results to the transport.

    Args:
        record: tells the backend about one delivered request.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._expected: dict[str, str] = {}
        self._unrecorded: set[str] = set()
        self._lock = anyio.Lock()
        self._tasks: anyio.abc.TaskGroup | None = None
        self._recording = False
        self.transport_tells = False

    def start(self, tasks: anyio.abc.TaskGroup) -> None:
        """Record in this task group's background."""
        self._tasks = tasks

    async def expect(self, call_id: RequestId | None, request_id: str) -> None:
        """The call is about to return this request's final result."""
        if self.transport_tells and call_id is not None:
            self._expected[str(call_id)] = request_id
        else:  # a transport that does not tell: in doubt the agent asks twice
            self._unrecorded.add(request_id)
            await self.settle()

    # the SDK hands a call's id to tools as text, whatever it was on the wire
    def sent(self, call_id: RequestId | None) -> None:
        """The transport has taken the response of this call."""
        request_id = self._expected.pop(str(call_id), None) if call_id is not None else None
        if request_id is not None:
            self._unrecorded.add(request_id)
            if self._tasks is not None and not self._recording:
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
    """A transport's write stream that tells `Deliveries` what it has taken."""

    def __init__(self, inner: Sink, deliveries: Deliveries) -> None:
        self._inner = inner
        self._deliveries = deliveries
        deliveries.transport_tells = True

    async def send(self, item: SessionMessage, /) -> None:
        """Hand the message on; a response that got through counts as delivered."""
        await self._inner.send(item)
        if isinstance(item.message, JSONRPCResponse):
            self._deliveries.sent(item.message.id)

    async def aclose(self) -> None:
        """Close the inner stream."""
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()
