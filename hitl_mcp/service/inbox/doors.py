"""Signing in and out, and the way back in for somebody who is signed out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hitl_mcp.errors import NotAuthorised, TooManyRequests
from hitl_mcp.service import people
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.forms import text_of
from hitl_mcp.service.inbox.render import message, page
from hitl_mcp.service.inbox.session import (
    SignIns,
    check_origin,
    check_sign_in_origin,
    check_token,
    clear_session,
    session_of,
    set_session,
    visit_of,
)

_NEXT = re.compile(r"/requests/[0-9a-f]{24}")
MAX_FIELDS = 10


class Doors:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._sign_ins = SignIns(services)

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        return (
            Route("/sign-in", self.sign_in_form),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            Route("/open-again", self.open_again, methods=["POST"]),
        )

    async def sign_in_form(self, request: Request) -> Response:
        """Where a typed code goes. Looking at it uses up nothing."""
        team = self._services.keys.is_team
        return page("sign_in.html", fault=None, next=_next(request.query_params.get("next", "")), team=team)

    async def sign_in(self, request: Request) -> Response:
        """Use up a code."""
        check_sign_in_origin(request, self._services.keys)
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
        target = _next(text_of(form, "next"))
        try:
            session = await self._sign_ins.sign_in(text_of(form, "code"), session_of(request, self._services.keys))
        except (NotAuthorised, TooManyRequests) as fault:
            team = self._services.keys.is_team
            refused = page("sign_in.html", fault.status, fault=f"{fault.message}.", next=target, team=team)
            if isinstance(fault, TooManyRequests):
                refused.headers["Retry-After"] = str(self._sign_ins.seconds_left())
            return refused
        # no redirect: the cookie is not sent along one that began at a file, where a one-time form is kept (H15)
        response = page("signed_in.html", next=target)
        set_session(response, session, secure=self._services.keys.is_secure)
        return response

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        check_origin(request, self._services.keys.inbox_origin)
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
        check_token(await visit_of(request, self._services), form)
        session = session_of(request, self._services.keys)
        await self._services.store.write(lambda tx: people.sign_out(tx, session))
        team = self._services.keys.is_team
        words = "This browser can no longer see or decide anything."
        response = message("Signed out", words, open_again=not team, sign_in=team)
        clear_session(response, secure=self._services.keys.is_secure)
        return response

    async def open_again(self, request: Request) -> Response:
        """Have the service open the inbox in the machine user's browser, signed in."""
        check_origin(request, self._services.keys.inbox_origin)
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
        return await opened(self._services, text_of(form, "request"))


async def opened(services: Services, request_id: str) -> Response:
    """Ask the machine's browser to open the inbox, and say what happened."""
    if services.keys.is_team:
        return message(
            "Sign in with a code",
            "Whoever runs this server makes one for you, good for one minute:",
            command="hitl-mcp inbox --print --for YOUR_ADDRESS",
            back="/sign-in",
        )
    known = re.fullmatch(r"[0-9a-f]{24}", request_id) is not None
    if await services.open_inbox(request_id if known else None):
        return message("The inbox opens in a new tab", "It is signed in. You can close this page.", page="closing")
    return message(
        "Open it from a terminal",
        "The service could not open a browser window just now (or did so a moment ago). Run this in a terminal:",
        command="hitl-mcp inbox",
    )


def _next(path: str) -> str:
    return path if _NEXT.fullmatch(path) else "/"
