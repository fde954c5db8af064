"""Cloud: the HITL.sh cloud as a kind of backend."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from hitl_mcp.contract.models import Change, Created, NewRequest, ReviewRequest
from hitl_mcp.contract.states import Status
from hitl_mcp.errors import ContractBroken
from hitl_mcp.sdk.calls import Call
from hitl_mcp.sdk.cloud import schedule, shapes
from hitl_mcp.sdk.cloud.asking import Asking
from hitl_mcp.sdk.cloud.metered import Metered, request_call
from hitl_mcp.sdk.cloud.operations import supported
from hitl_mcp.sdk.cloud.reading import items_of, read_request
from hitl_mcp.sdk.cloud.share import Tx
from hitl_mcp.sdk.cloud.twins import Twins
from hitl_mcp.sdk.cloud.watching import Watching, with_delivery
from hitl_mcp.sdk.connection import Connection
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.watch import Watch

T = TypeVar("T")

LOOPS_SECONDS = 600.0
_SHAPES: dict[str, Callable[[object], object]] = {
    "check_key": shapes.key, "list_loops": shapes.loops, "get_loop": shapes.loop, "create_loop": shapes.new_loop,
    "update_loop": shapes.loop, "list_members": shapes.members,
}  # fmt: skip


class Cloud:
    """See `Backend`.

    Args:
        connection: the way to the cloud.
        folder: the data folder; what the processes of this machine share is kept in `cloud` within it.
        clock: seconds since 1970.
    """

    loops_seconds = LOOPS_SECONDS

    def __init__(self, connection: Connection, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._metered = Metered(connection, folder / "cloud", clock)
        self._asking = Asking(self._metered)
        self._watching = Watching(self._metered, Twins(self._metered), self)

    async def endpoint(self) -> Endpoint:
        """See `Backend`."""
        return await self._metered.connection.endpoint()

    async def send(self, call: Call[T]) -> T:
        """See `Backend`. Raises: NotSupported, and see `Metered.call`."""
        supported(call.operation)
        match call.operation:
            case "get_request":
                return await self._get(call)
            case "list_requests" | "list_loop_requests":
                return await self._list(call)
            case "cancel_request":
                return await self._cancel(call)
            case _:
                told = await self._metered.call(call)
                return call.read(_SHAPES.get(call.operation, lambda data: data)(told.data))

    async def create(self, loop_id: str, new: NewRequest, once_key: str | None, headers: dict[str, str]) -> Created:
        """See `Backend`. The headers are our own service's and mean nothing to the cloud."""
        return await self._asking.create(loop_id, new, once_key)

    async def look(self, request_id: str) -> ReviewRequest:
        """See `Backend`, and `Watching.look`."""
        return await self._delivery(await self._watching.look(request_id))

    async def delivered(self, request_id: str) -> None:
        """See `Backend`. Remembered on this machine."""
        await self._metered.transaction(lambda tx: tx.deliver(request_id))

    def mark(self) -> int | None:
        """See `Backend`. Nothing is heard from the cloud, so there is nothing to mark."""
        return None

    def watching(self, request: ReviewRequest, since: int | None = None) -> AbstractContextManager[Watch]:
        """See `Backend`."""
        return self._watching.watching(request)

    def staleness(self) -> str | None:
        """See `Backend`."""
        minutes = max(2, math.ceil(max(schedule.PACE, self._watching.pace) / 60 - 0.25))
        return (
            f"The HITL.sh cloud allows 100 calls an hour, so a decision may be seen up to {minutes} minutes after it "
            "was made; calling more often changes nothing."
        )

    async def run(self) -> None:
        """See `Backend`."""
        await self._watching.run()

    async def aclose(self) -> None:
        """See `Backend`."""
        await self._metered.aclose()

    async def get_request(self, request_id: str) -> ReviewRequest:
        """For a `Watch`: what is known, without a call."""
        return await self._watching.seen(request_id)

    async def changes_after(self, position: int | None) -> tuple[list[Change], int]:
        """See `Source`. Raises: NotSupported."""
        supported("list_changes")
        return [], 0

    async def stream(self, after: int | None) -> AsyncIterator[Change | int]:
        """See `Backend`. Raises: NotSupported."""
        supported("stream")
        yield 0

    async def _get(self, call: Call[T]) -> T:
        told = await self._metered.call(call)
        request = await self._watching.take(_request_id(call), told)
        return call.read({"request": await self._delivery(request)})

    async def _list(self, call: Call[T]) -> T:
        told = await self._metered.call(call)
        items = items_of(told.data)

        def read(tx: Tx) -> list[ReviewRequest]:
            found: list[ReviewRequest] = []
            for item in items:
                known = tx.seen(item["id"])
                try:
                    request = read_request(item, known.request if known else None)
                except ContractBroken:
                    continue  # a request of somebody else's making that cannot be shown hides none that can
                if known is not None and known.request is not None and not known.request.status.is_open:
                    request = known.request  # it is over, and was read whole
                found.append(with_delivery(request, tx.delivered(request.id)))
            return found

        return call.read({"requests": _filtered(call, await self._metered.transaction(read))})

    async def _cancel(self, call: Call[T]) -> T:
        """The cloud's reply names the request only; the rest is what is known of it, or read."""
        request_id = _request_id(call)
        told = await self._metered.call(call)
        seen = await self._metered.transaction(lambda tx: tx.seen(request_id))
        if seen is None or seen.request is None:
            request = await self._watching.take(request_id, await self._metered.call(request_call(request_id)))
        else:
            at = datetime.fromtimestamp(told.sent, UTC)
            request = seen.request.model_copy(update={"status": Status.CANCELLED, "cancelled_at": at})
            await self._metered.transaction(lambda tx: tx.see(request, told.sent))
        return call.read({"request": request})

    async def _delivery(self, request: ReviewRequest) -> ReviewRequest:
        return with_delivery(request, await self._metered.transaction(lambda tx: tx.delivered(request.id)))


def _request_id(call: Call[Any]) -> str:
    return call.path.rpartition("/")[2]


def _filtered(call: Call[Any], found: list[ReviewRequest]) -> list[ReviewRequest]:
    """What the cloud documents no filters for is filtered here (contract 2.5)."""
    wanted = call.query.get("status") if call.operation == "list_loop_requests" else None
    return [request for request in found if wanted is None or request.status.value == wanted]
