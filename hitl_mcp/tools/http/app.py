"""The MCP server as one ASGI application for streamable HTTP and the legacy HTTP+SSE."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import anyio
import anyio.abc
from mcp.server.mcpserver import Context
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import Receive, Scope, Send

from hitl_mcp.tools.deliveries import Deliveries
from hitl_mcp.tools.desk import Desk, Reception
from hitl_mcp.tools.http.callers import Callers
from hitl_mcp.tools.http.door import Door, refuse
from hitl_mcp.tools.http.exchange import Exchange, Standing, exchange_of
from hitl_mcp.tools.http.keys import KeyVerifier, ResolverFor
from hitl_mcp.tools.http.sse import SSESessions
from hitl_mcp.tools.rounds import ROUND_SECONDS, StateKey, no_key
from hitl_mcp.tools.server import HITLServer, ToolSet

STREAMABLE = "/mcp"
SSE = "/sse"
MESSAGES = "/messages/"
MAX_BODY_BYTES = 1_048_576
MAX_SESSIONS = 20_000
"""Of each legacy transport; a session that holds a call costs tens of kilobytes."""
DRAIN_SECONDS = 5.0
CLOSE_SECONDS = 1.0


def serves(path: str) -> bool:
    """Whether a path belongs to the MCP application."""
    return path.rstrip("/") in (STREAMABLE, SSE, MESSAGES.rstrip("/"))


def create_mcp_app(
    resolver_for: ResolverFor,
    *,
    allowed_hosts: Sequence[str],
    allowed_origins: Sequence[str],
    loop: str | None = None,
    wait_seconds: float = 45,
    tools: ToolSet = "default",
    round_seconds: float = ROUND_SECONDS,
    state_key: StateKey = no_key,
) -> MCPOverHTTP:
    """The MCP face over HTTP.

    Args:
        resolver_for: finds the backend as the owner of an API key. Every call goes there with the caller's own key, so
            no caller can do or see more than the key allows.
        allowed_hosts: Host headers that are served, with their port (`name:*` for any); all others get 421.
        allowed_origins: Origin headers that are served; others get 403. Clients that are no browser send none.
        loop: the loop that questions go to when the agent names none.
        wait_seconds: how long a call waits when the agent does not say.
        tools: which tools are served.
        round_seconds: how long one request waits where a call can go on in another.
        state_key: the key that all processes of the backend share, so that a call can go on in another.
    """
    security = TransportSecuritySettings(allowed_hosts=list(allowed_hosts), allowed_origins=list(allowed_origins))
    server = partial(HITLServer, wait_seconds=wait_seconds, merges=False, tools=tools, state_key=state_key)
    desks = partial(Callers, resolver_for, loop, round_seconds)
    return MCPOverHTTP(resolver_for, security, server, desks)


class MCPOverHTTP:
    """An ASGI application. Enter `running()` around the server that serves it; call `drain()` before that one ends.

    What holds of deliveries (H2): over streamable HTTP a result counts as delivered when the last byte of the call's
    own answer was taken by its connection; over the legacy SSE when the session's open stream has taken the message. A
    call that was cancelled or cut off delivers nothing, and its request stays open: `list_requests` shows what was not
    collected. Nothing is merged over HTTP (H3), so an unrecorded delivery can never make an old decision answer a new
    question.
    """

    def __init__(
        self,
        resolver_for: ResolverFor,
        security: TransportSecuritySettings,
        server: Callable[[Callable[[], AbstractAsyncContextManager[Reception]]], HITLServer],
        desks: Callable[[anyio.abc.TaskGroup], Callers],
    ) -> None:
        self._desks = desks
        self._verifier = KeyVerifier(resolver_for)
        self._server = server(self._opened)
        self._streamable = StreamableHTTPSessionManager(
            self._server.lowlevel, security_settings=security, max_request_body_size=MAX_BODY_BYTES,
            max_sessions=MAX_SESSIONS,
        )  # fmt: skip
        self._sse = SSESessions(MESSAGES, security, MAX_BODY_BYTES)
        self._door = Door(self._enter, self._verifier, security)
        self._callers: Callers | None = None
        self._answering = 0
        self._standing: set[Standing] = set()
        self._closed = False

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """What the application needs to answer: once, around the server."""
        try:
            async with self._streamable.run():
                yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._verifier.aclose()

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[Reception]:
        async with anyio.create_task_group() as tasks:
            self._callers = callers = self._desks(tasks)
            tasks.start_soon(callers.run)
            try:
                yield _ManyCallers(callers)
            finally:
                self._callers = None
                tasks.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await callers.aclose()

    async def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """End in order: every call that waits returns its handle now, none waits any more, then streams are closed.

        The backend must still answer meanwhile. Calls that are not through after `seconds` are cut off.
        """
        callers = self._callers
        if callers is not None:
            callers.drain()
            with anyio.move_on_after(seconds):
                while self._answering or callers.busy or self._sse.unwritten:  # noqa: ASYNC110  # once, at the end
                    await anyio.sleep(0.01)
        self._closed = True
        for stream in self._standing:
            stream.end()
        with anyio.move_on_after(CLOSE_SECONDS):
            while self._standing:  # noqa: ASYNC110
                await anyio.sleep(0.01)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI, HTTP only."""
        if self._closed or self._callers is None:
            words = "This server is ending. Connect again in a moment; what you asked is kept."
            await refuse(send, 503, "temporarily_unavailable", words, (b"retry-after", b"2"))
        elif serves(scope["path"]):
            await self._door(scope, receive, send)
        else:
            await refuse(send, 404, "not_found", f"There is nothing here. MCP is at {STREAMABLE}, or {SSE}.")

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        with Exchange(scope, send) as exchange:
            if _stands(scope):
                stream = Standing(receive)
                self._standing.add(stream)
                try:
                    await self._answer(scope, stream.receive, exchange)
                finally:
                    self._standing.discard(stream)
                if stream.ended:
                    await exchange.finish()
            else:
                self._answering += 1
                try:
                    await self._answer(scope, receive, exchange)
                finally:
                    self._answering -= 1

    async def _answer(self, scope: Scope, receive: Receive, exchange: Exchange) -> None:
        path, send = scope["path"].rstrip("/"), exchange.send
        if path == STREAMABLE:
            await self._streamable.handle_request(scope, receive, send)
        elif path == MESSAGES.rstrip("/"):
            await self._sse.post(scope, receive, send)
        elif scope["method"] != "GET":
            await refuse(send, 405, "invalid_request", "Open the stream with GET.", (b"allow", b"GET"))
        elif self._callers is None or len(self._sse) >= MAX_SESSIONS:
            await refuse(send, 503, "temporarily_unavailable", "Too many sessions are open. Try again later.")
        else:
            await self._sse.connect(self._server.lowlevel, self._callers, scope, receive, send)


class _ManyCallers:
    """The reception of streamable HTTP: every call has an exchange of its own."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    def desk(self) -> Desk:
        return self._callers.desk()

    def follow(self, ctx: Context[Any, Any], deliveries: Deliveries, request_id: str) -> None:
        exchange = exchange_of(ctx)
        if exchange is not None:
            exchange.expect(deliveries, request_id)


def _stands(scope: Scope) -> bool:
    """Whether the answer is a stream without an end of its own."""
    listens = (b"mcp-method", b"subscriptions/listen") in scope["headers"]
    return scope["method"] == "GET" or listens
