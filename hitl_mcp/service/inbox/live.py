"""The open page's stream of changes, as server-sent events (D7). It carries ids and states, never a question's text."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import anyio
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hitl_mcp.contract.models import Change
from hitl_mcp.errors import HITLError, NotAuthorised
from hitl_mcp.service.actors import Person
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.audience import Audience
from hitl_mcp.service.inbox.session import person_at, session_of

PING_SECONDS = 15.0
RECHECK_MS = 30_000
PING = b"event: ping\ndata: {}\n\n"
"""An event of its own: scripts cannot see a comment, and by its absence they know that the stream is dead."""


class Live:
    """`GET /live`.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._audience = Audience(services.store)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["method"] != "GET":
            await Response(status_code=405, headers={"Allow": "GET"})(scope, receive, send)
            return
        session = session_of(HTTPConnection(scope), self._services.keys)
        person = await person_at(self._services, session)
        if person is None:
            raise NotAuthorised("You are signed out")
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        self._services.presence.pages += 1
        try:
            async with anyio.create_task_group() as tasks:

                async def end_on_disconnect() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    tasks.cancel_scope.cancel()

                tasks.start_soon(end_on_disconnect)
                await self._stream(session, person, send)
                await send(_body(b"", more=False))
                tasks.cancel_scope.cancel()
        except* OSError:  # the browser went away while it was being written to
            pass
        finally:
            self._services.presence.pages -= 1

    async def _stream(self, session: str, person: Person, send: Send) -> None:
        services = self._services
        checked = services.clock()
        with services.feed.subscribed(None) as news, self._audience.joined(person.user_id):
            seen = await self._audience.look(person.user_id, services.feed.handed_out)
            ready = _event("ready", {"open": seen.open_for(person.user_id)})
            await send(_body(b"retry: 2000\n\n" + ready))
            heard = time.monotonic()
            while not services.feed.closed:
                changes = await news.next_changes(PING_SECONDS)
                if services.feed.closed or news.lost:
                    return
                if not 0 <= services.clock() - checked < RECHECK_MS:
                    checked = services.clock()
                    if await self._gone(session):
                        await send(_body(_event("signed-out", {})))
                        return
                frames = await self._frames(person, changes)
                if not frames and time.monotonic() - heard >= PING_SECONDS:
                    frames = [PING]
                if frames:
                    heard = time.monotonic()
                    await send(_body(b"".join(frames)))

    async def _frames(self, person: Person, changes: Sequence[Change]) -> list[bytes]:
        if not changes:
            return []
        seen = await self._audience.look(person.user_id, self._services.feed.handed_out)
        mine, count = seen.loops_of(person.user_id), {"open": seen.open_for(person.user_id)}
        frames = [
            _event("change", {"request_id": item.request_id, "type": item.type, "status": item.status.value})
            for item in changes
            if item.loop_id in mine
        ]
        if frames:
            return [*frames, _event("count", count)]
        # what climbed into another loop has left this one; who is told to look again learns no more than that
        return [_event("ready", count)] if any(item.type == "escalated" for item in changes) else []

    async def _gone(self, session: str) -> bool:
        try:
            return await person_at(self._services, session) is None
        except HITLError:
            return False


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def _body(content: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}
