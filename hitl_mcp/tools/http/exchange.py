"""One HTTP request and its answer, followed until the answer has left (H2)."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import anyio
from mcp.server.mcpserver import Context
from starlette.types import Message, Receive, Scope, Send

from hitl_mcp.tools.deliveries import Deliveries

_NAME = "hitl_mcp.exchange"


class Exchange:
    """Stands between the application and the server's `send`.

    A result counts as delivered once the last byte of its answer was taken by the connection of a call that is neither
    cancelled nor cut off: the SDK ends both without a last byte.
    """

    __slots__ = ("_over", "_results", "_scope", "_send", "_started")

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._started = False
        self._over = False
        self._results: tuple[tuple[Deliveries, str], ...] = ()

    def __enter__(self) -> Self:
        self._scope[_NAME] = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._scope[_NAME]  # a result that comes later, of a call that was cut off, reaches nobody

    def expect(self, deliveries: Deliveries, request_id: str) -> None:
        """The answer is about to carry this request's final result, beside others it may carry."""
        self._results += ((deliveries, request_id),)

    async def send(self, message: Message) -> None:
        """ASGI."""
        await self._send(message)
        if message["type"] == "http.response.start":
            self._started = True
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self._over = True
            for deliveries, request_id in self._results:
                deliveries.delivered(request_id)

    async def finish(self) -> None:
        """End an answer that was begun, so that the client sees an end and not a broken connection."""
        if self._started and not self._over:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})


class Standing:
    """The request's side of a stream without an end of its own, which the server can end.

    To the application it looks as if the client had gone, which is the one end that the SDK cleans up after.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._waiting: anyio.CancelScope | None = None
        self.ended = False

    async def receive(self) -> Message:
        """ASGI."""
        if not self.ended:
            with anyio.CancelScope() as self._waiting:
                return await self._receive()
        return {"type": "http.disconnect"}

    def end(self) -> None:
        """End the stream."""
        self.ended = True
        if self._waiting is not None:
            self._waiting.cancel()


def exchange_of(ctx: Context[Any, Any]) -> Exchange | None:
    """The exchange that answers a call."""
    request = ctx.request_context.request
    return None if request is None else request.scope.get(_NAME)
