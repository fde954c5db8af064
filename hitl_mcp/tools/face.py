"""What the default tool set shows beside its tools: resources, prompts, completions, tasks and subscriptions.

What is behind a method is imported when it is first asked for, because a stdio server must start fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp.server import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.types import (
    CompleteRequestParams,
    CompleteResult,
    EmptyResult,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from hitl_mcp.tools.desk import Reception
    from hitl_mcp.tools.subscriptions import Subscriptions

    Ctx = ServerRequestContext[Reception, Any]


class Face:
    """Answers the methods that MCPServer has no decorator for.

    Args:
        bus: carries what the server says of its own lists.
    """

    def __init__(self, bus: InMemorySubscriptionBus) -> None:
        self._bus = bus
        self._made: Subscriptions | None = None

    def register(self, server: Server[Any]) -> None:
        """Add the methods."""
        server.add_request_handler("completion/complete", CompleteRequestParams, self._complete)
        server.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, self._listen)
        server.add_request_handler("resources/subscribe", SubscribeRequestParams, self._subscribe)
        server.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)

    @property
    def _subscriptions(self) -> Subscriptions:
        if self._made is None:
            from hitl_mcp.tools.subscriptions import Subscriptions

            self._made = Subscriptions(self._bus)
        return self._made

    async def _complete(self, ctx: Ctx, params: CompleteRequestParams) -> CompleteResult:
        from hitl_mcp.tools.completions import complete

        return await complete(ctx, params)

    async def _listen(self, ctx: Ctx, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        return await self._subscriptions.listen(ctx, params)

    async def _subscribe(self, ctx: Ctx, params: SubscribeRequestParams) -> EmptyResult:
        return await self._subscriptions.subscribe(ctx, params)

    async def _unsubscribe(self, ctx: Ctx, params: UnsubscribeRequestParams) -> EmptyResult:
        return await self._subscriptions.unsubscribe(ctx, params)
