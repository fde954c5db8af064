"""The people of one's loops, and letting newcomers in (H10)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl_mcp.contract.ids import is_id
from hitl_mcp.errors import NotFound
from hitl_mcp.service import loops, media, members
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.forms import text_of
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import posted, visit_of
from hitl_mcp.service.store.base import Tx

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Team:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        return (
            Route("/people", self.people),
            Route("/people/confirm", self.confirm, methods=["POST"]),
            Route("/people/decline", self.decline, methods=["POST"]),
            Route("/media/{digest:str}", self.image),
        )

    async def people(self, request: Request) -> Response:
        """The people of the loops, and who waits to be let in."""
        visit = await visit_of(request, self._services)

        def read(tx: Tx) -> dict[str, Any]:
            mine = loops.joined(tx, visit.person.user_id)
            return {
                "newcomers": members.newcomers(tx, visit.person),
                "loops": [(loop, members.of_loop(tx, loop.id)) for loop in mine],
            }

        return page("people.html", page="people", visit=visit, **await self._services.store.scan(read))

    async def confirm(self, request: Request) -> Response:
        """Let a newcomer in."""
        return await self._judged(request, let_in=True)

    async def decline(self, request: Request) -> Response:
        """Send a newcomer away."""
        return await self._judged(request, let_in=False)

    async def _judged(self, request: Request, *, let_in: bool) -> Response:
        visit, form = await posted(request, self._services)
        loop_id, user_id = text_of(form, "loop"), text_of(form, "user")
        if not (is_id(loop_id) and is_id(user_id)):
            raise NotFound("There is no such newcomer")
        judge = members.confirm if let_in else members.decline
        await self._services.store.write(lambda tx: judge(tx, visit.person, loop_id, user_id))
        back = text_of(form, "back")
        return RedirectResponse(f"/loops/{loop_id}" if back == "loop" else "/people", 303)

    async def image(self, request: Request) -> Response:
        """An image of a question, as it was when it was asked (H5)."""
        visit = await visit_of(request, self._services)
        digest = str(request.path_params["digest"])
        if not _DIGEST.fullmatch(digest):
            raise NotFound("There is no such image")
        content_type, data = await self._services.store.scan(lambda tx: media.seen_by(tx, visit.person, digest))
        headers = {"Cache-Control": "private, max-age=31536000, immutable", "Content-Disposition": "inline"}
        return Response(data, media_type=content_type, headers=headers)
