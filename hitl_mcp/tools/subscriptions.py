"""Telling clients that a request has changed, in the way of each protocol era. Only of the caller's own requests.

From 2026-07-28 on the response of `subscriptions/listen` is the stream; before, `resources/subscribe` asks for
notifications beside the calls. Nothing is kept or repeated: who comes again reads the request.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any, Literal, cast
from weakref import WeakKeyDictionary

import anyio
import anyio.streams.memory
from mcp import MCPError
from mcp.server import ServerRequestContext
from mcp.server.connection import Connection
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY, InMemorySubscriptionBus, ServerEvent
from mcp.shared.subscriptions import ResourceUpdated, event_matches, event_to_notification
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    EmptyResult,
    Notification,
    NotificationParams,
    ServerNotification,
    SubscribeRequestParams,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)
from pydantic import ConfigDict

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.errors import BadRequest, HITLError, NotFound
from hitl_mcp.tools import tasks
from hitl_mcp.tools.desk import Desk, Reception
from hitl_mcp.tools.resources import request_id_of, unknown

MAX_STREAMS = 1_024
MAX_FOLLOWED = 100
"""Requests of one stream, or of one connection of the older era."""
MAX_UNREAD = 256

Ctx = ServerRequestContext[Reception, Any]
log = logging.getLogger(__name__)


class TaskParams(NotificationParams):
    """A task as `tasks/get` returns it."""

    model_config = ConfigDict(extra="allow", defer_build=True)


class TaskNotification(Notification[TaskParams, Literal["notifications/tasks"]]):
    """A task has changed."""

    method: Literal["notifications/tasks"] = "notifications/tasks"
    params: TaskParams


class Subscriptions:
    """All streams and subscriptions of one server.

    Args:
        bus: carries what the server says of its own lists.
    """

    def __init__(self, bus: InMemorySubscriptionBus) -> None:
        self._bus = bus
        self._streams = 0
        self._subscribed: WeakKeyDictionary[Connection, dict[str, anyio.CancelScope]] = WeakKeyDictionary()

    async def listen(self, ctx: Ctx, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        """Serve one stream until the client leaves. What it cannot hear of is missing in the confirmation."""
        if ctx.request_id is None:
            raise MCPError(INVALID_REQUEST, "subscriptions/listen is a request: give it an id.")
        if self._streams >= MAX_STREAMS:
            raise MCPError(INTERNAL_ERROR, "Too many streams are open. Close one, or read the requests instead.")
        self._streams += 1
        try:
            return await _Stream(ctx, params.notifications).serve(self._bus)
        finally:
            self._streams -= 1

    async def subscribe(self, ctx: Ctx, params: SubscribeRequestParams) -> EmptyResult:
        """Tell the connection of a request's changes until it is closed, unsubscribed, or the connection ends."""
        uri, desk = str(params.uri), ctx.lifespan_context.desk()
        with desk:
            since = desk.client.mark()
            request = await _known(desk, request_id_of(uri))
            if request is None:
                raise unknown(uri)
            connection = ctx.session._connection  # pyright: ignore[reportPrivateUsage]  # no public way
            followed = self._subscribed.get(connection)
            if followed is None:
                followed = self._subscribed[connection] = {}
                connection.exit_stack.callback(_end_all, followed)
            if uri in followed:
                return EmptyResult()
            if len(followed) >= MAX_FOLLOWED:
                raise MCPError(INVALID_PARAMS, f"At most {MAX_FOLLOWED} requests are followed. Unsubscribe from one.")
            scope = followed[uri] = anyio.CancelScope()
            session = ctx.session

            async def tell() -> None:
                with scope:
                    async for _ in _changes(desk, request, since):
                        await session.send_resource_updated(uri)
                if followed.get(uri) is scope:
                    del followed[uri]

            desk.start(tell)
        return EmptyResult()

    async def unsubscribe(self, ctx: Ctx, params: UnsubscribeRequestParams) -> EmptyResult:
        """Say no more of it."""
        connection = ctx.session._connection  # pyright: ignore[reportPrivateUsage]
        scope = self._subscribed.get(connection, {}).pop(str(params.uri), None)
        if scope is not None:
            scope.cancel()
        return EmptyResult()


class _Stream:
    """One `subscriptions/listen`."""

    def __init__(self, ctx: Ctx, wanted: SubscriptionFilter) -> None:
        self._ctx = ctx
        self._wanted = wanted
        self._meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}

    async def serve(self, bus: InMemorySubscriptionBus) -> SubscriptionsListenResult:
        """Confirm, then tell."""
        uris = list(dict.fromkeys(self._wanted.resource_subscriptions or ()))
        task_ids = list(dict.fromkeys(_task_ids(self._ctx, self._wanted)))
        if len(uris) + len(task_ids) > MAX_FOLLOWED:
            raise MCPError(INVALID_PARAMS, f"At most {MAX_FOLLOWED} requests are followed by one stream. Ask for less.")
        followed: list[tuple[Desk, ReviewRequest, int | None, str | None]] = []
        if uris or task_ids:
            with self._ctx.lifespan_context.desk() as desk:
                for uri, request_id in [*((uri, request_id_of(uri)) for uri in uris), *((None, i) for i in task_ids)]:
                    since = desk.client.mark()
                    if (request := await _known(desk, request_id)) is not None:
                        followed.append((desk, request, since, uri))
        heard = [uri for _, _, _, uri in followed if uri is not None]
        known_tasks = [request.id for _, request, _, uri in followed if uri is None]
        honored = SubscriptionFilter(
            tools_list_changed=self._wanted.tools_list_changed or None,
            prompts_list_changed=self._wanted.prompts_list_changed or None,
            resources_list_changed=self._wanted.resources_list_changed or None,
            resource_subscriptions=heard or None,
            **({"taskIds": known_tasks} if known_tasks else {}),
        )
        send, receive = anyio.create_memory_object_stream[ServerNotification](MAX_UNREAD)
        with send, receive:
            unsubscribe = bus.subscribe(self._forward(honored, send))
            try:
                confirmed = SubscriptionsAcknowledgedNotificationParams(notifications=honored, _meta=self._meta)
                await self._send(SubscriptionsAcknowledgedNotification(params=confirmed))
                async with anyio.create_task_group() as running:
                    for desk, request, since, uri in followed:
                        running.start_soon(self._follow, desk, request, since, uri)
                    async for notification in receive:
                        await self._send(notification)
                    running.cancel_scope.cancel()
            finally:
                unsubscribe()
        return SubscriptionsListenResult(_meta=self._meta)

    def _forward(
        self, honored: SubscriptionFilter, send: anyio.streams.memory.MemoryObjectSendStream[ServerNotification]
    ) -> Callable[[ServerEvent], None]:
        uris = frozenset(honored.resource_subscriptions or ())

        def forward(event: ServerEvent) -> None:
            if event_matches(honored, uris, event):
                try:
                    send.send_nowait(event_to_notification(event, self._meta))
                except anyio.WouldBlock:  # a client that does not read: it may come again
                    send.close()
                except anyio.ClosedResourceError:
                    return

        return forward

    async def _follow(self, desk: Desk, request: ReviewRequest, since: int | None, uri: str | None) -> None:
        async for changed in _changes(desk, request, since):
            if uri is not None:
                await self._send(event_to_notification(ResourceUpdated(uri=uri), self._meta))
                continue
            params = TaskParams.model_validate(await tasks.detailed(self._ctx, desk, changed) | {"_meta": self._meta})
            await self._send(cast("ServerNotification", TaskNotification(params=params)))
            desk.told(changed)

    async def _send(self, notification: ServerNotification) -> None:
        await self._ctx.session.send_notification(notification, related_request_id=self._ctx.request_id)


async def _changes(desk: Desk, request: ReviewRequest, since: int | None) -> AsyncGenerator[ReviewRequest]:
    """Each change; a fault ends it, and the client reads the request instead."""
    try:
        async with contextlib.aclosing(desk.follow(request, since)) as changes:
            async for changed in changes:
                yield changed
    except HITLError as error:
        log.info("A request is no longer followed: %s", error)


async def _known(desk: Desk, request_id: str | None) -> ReviewRequest | None:
    """The caller's request, where it is one. Raises: MCPError when the backend does not answer."""
    if request_id is None:
        return None
    try:
        return await desk.known(request_id)
    except (NotFound, BadRequest):
        return None
    except HITLError as error:
        raise MCPError(INTERNAL_ERROR, str(error)) from error


def _task_ids(ctx: Ctx, wanted: SubscriptionFilter) -> list[str]:
    """The tasks that a client which declared the extension asks for; a key of the extension, not of the protocol."""
    given: object = (wanted.model_extra or {}).get("taskIds")
    if not tasks.declared(ctx) or not isinstance(given, list):
        return []
    return [task_id for task_id in cast("list[object]", given) if isinstance(task_id, str)]


def _end_all(followed: dict[str, anyio.CancelScope]) -> None:
    for scope in followed.values():
        scope.cancel()
