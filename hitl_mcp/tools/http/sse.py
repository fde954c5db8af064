"""The legacy HTTP+SSE transport. The protocol has deprecated it; users of this product asked for it (D20)."""

from __future__ import annotations

from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.mcpserver import Context
from mcp.server.runner import serve_dual_era_loop
from mcp.server.sse import SseServerTransport
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.message import SessionMessage
from starlette.types import Message, Receive, Scope, Send

from hitl_mcp.tools.deliveries import Deliveries, Sink, TellingStream
from hitl_mcp.tools.desk import Desk
from hitl_mcp.tools.http.callers import Callers


class SSESessions:
    """All sessions of the legacy transport. The SDK binds each to the credential that opened it.

    Args:
        messages: the path that clients post to.
        security: hosts and origins that are served.
        max_body: bytes a message may have.
    """

    def __init__(self, messages: str, security: TransportSecuritySettings, max_body: int) -> None:
        self._transport = SseServerTransport(messages, security, max_body)
        self._sessions: set[_Session] = set()
        self.post = self._transport.handle_post_message

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def unwritten(self) -> bool:
        """Whether a message waits to be written."""
        return any(session.unwritten for session in self._sessions)

    async def connect(self, server: Server[Any], callers: Callers, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one session, until its stream ends."""
        session: _Session | None = None

        async def counted(message: Message) -> None:
            await send(message)
            if session is not None and message.get("body", b"").startswith(b"event: message"):
                session.unwritten -= 1

        async with self._transport.connect_sse(scope, receive, counted) as (incoming, outgoing):
            session = _Session(callers, outgoing)
            self._sessions.add(session)
            try:
                # not `Server.run`, which would open the server's lifespan once for each session
                await serve_dual_era_loop(server, incoming, session, lifespan_state=session)
            finally:
                self._sessions.discard(session)


class _Session(TellingStream):
    """A session's write stream, and the reception of its calls."""

    def __init__(self, callers: Callers, inner: Sink) -> None:
        super().__init__(inner)
        self._callers = callers
        self.unwritten = 0

    def desk(self) -> Desk:
        return self._callers.desk()

    def follow(self, ctx: Context[Any, Any], deliveries: Deliveries, request_id: str) -> None:
        self.expect(ctx.request_id, deliveries, request_id)

    async def send(self, item: SessionMessage, /) -> None:
        self.unwritten += 1
        try:
            await super().send(item)
        except BaseException:
            self.unwritten -= 1
            raise
