"""The open page's stream of changes, as server-sent events (D7). It carries ids and states, never a question's text."""

from __future__ import annotations

import json
from typing import Any

import anyio
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hitl_mcp.errors import HITLError, NotAuthorised
from hitl_mcp.service import rows
from hitl_mcp.service.actors import Person
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.session import person_at, session_of
from hitl_mcp.service.membership import joined_by

PING_SECONDS = 15.0
RECHECK_MS = 30_000


class Live:
    """`GET /live`.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

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
        with services.feed.subscribed(None) as news:
            await send(_body(b"retry: 2000\n\n" + _event("ready", await self._open(person))))
            while not services.feed.closed:
                changes = await news.next_changes(PING_SECONDS)
                if services.feed.closed:
                    return
                if not 0 <= services.clock() - checked < RECHECK_MS:
                    checked = services.clock()
                    if await self._gone(session):
                        await send(_body(_event("signed-out", {})))
                        return
                mine = await self._loops(person) if changes else frozenset[str]()
                frames = [
                    _event("change", {"request_id": item.request_id, "type": item.type, "status": item.status.value})
                    for item in changes
                    if item.loop_id in mine
                ]
                if frames:
                    frames.append(_event("count", await self._open(person)))
                await send(_body(b"".join(frames) or b": ping\n\n"))

    async def _loops(self, person: Person) -> frozenset[str]:
        """The loops this person answers for right now: of others the page is told nothing."""
        try:
            return await self._services.store.read(lambda tx: joined_by(tx, person.user_id))
        except HITLError:  # the page reloads what it shows when the database is back
            return frozenset()

    async def _open(self, person: Person) -> dict[str, int | None]:
        try:
            return {"open": await self._services.store.read(lambda tx: rows.open_count_for(tx, person))}
        except HITLError:  # a sick disk is no reason to end the stream
            return {"open": None}

    async def _gone(self, session: str) -> bool:
        try:
            return await person_at(self._services, session) is None
        except HITLError:
            return False


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def _body(content: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}
