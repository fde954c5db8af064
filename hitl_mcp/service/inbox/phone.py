"""Signing in on a phone: a signed-in person shows it a picture, and presses a button there (H15, H37)."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl_mcp.service import qr, sign_in
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import posted


class Phone:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        return (
            Route("/reach/phone", self.back),
            Route("/reach/phone", self.invite, methods=["POST"]),
            Route("/sign-in/phone", self.enter),
        )

    async def back(self, request: Request) -> Response:
        """A reload leads back: a code is made by the button only."""
        return RedirectResponse("/reach#phone", 303)

    async def invite(self, request: Request) -> Response:
        """Make a one-time code for this person and show it as a picture.

        The code stands behind the `#` of the address, which browsers send to nobody: no log and no preview learns it.
        """
        visit, _form = await posted(request, self._services)
        code = await self._services.store.write(lambda tx: sign_in.new_code(tx, visit.person.user_id, typed=True))
        address = f"{self._services.keys.inbox_origin}/sign-in/phone"
        picture = Markup(qr.svg(f"{address}#{code}"))  # segno's own, of our own text
        seconds = sign_in.CODE_MS // 1000
        return page(
            "phone.html", page="reach", visit=visit, code=code, address=address, picture=picture, seconds=seconds
        )

    async def enter(self, request: Request) -> Response:
        """Where the picture leads. Looking at it uses up nothing."""
        return page("phone_sign_in.html")
