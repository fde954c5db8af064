"""Signing in and out, and the way back in for somebody who is signed out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hitl_mcp.contract.teams import Email
from hitl_mcp.errors import NotAuthorised, TooManyRequests
from hitl_mcp.service import people, sessions, sign_in
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox import entering
from hitl_mcp.service.inbox.forms import text_of
from hitl_mcp.service.inbox.render import message, page
from hitl_mcp.service.inbox.session import (
    SignIns,
    check_origin,
    check_sign_in_origin,
    clear_session,
    posted,
    session_of,
    set_session,
)
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.web.origins import origin_of

_NEXT = re.compile(r"/requests/[0-9a-f]{24}|/join/[A-Z0-9]{9,20}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{40,50}")
MAX_FIELDS = 10
_email: TypeAdapter[str] = TypeAdapter(Email)


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
        always = (
            Route("/sign-in", self.sign_in_form),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            Route("/open-again", self.open_again, methods=["POST"]),
        )
        if not self._services.keys.is_team:
            return always
        return (
            *always,
            Route("/sign-in/password", self.password, methods=["POST"]),
            Route("/sign-in/mail", self.mail, methods=["POST"]),
            Route("/sign-in/link/{token:str}", self.link_form),
            Route("/sign-in/link/{token:str}", self.link, methods=["POST"]),
        )

    async def sign_in_form(self, request: Request) -> Response:
        """Where a typed code, or an address and a password, go. Looking at it uses up nothing."""
        return await self._form(next_of(request.query_params.get("next", "")))

    async def sign_in(self, request: Request) -> Response:
        """Use up a code."""
        check_sign_in_origin(request, self._services.keys)
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
        target = next_of(text_of(form, "next"))
        former = session_of(request, self._services.keys)
        try:
            session = await self._sign_ins.sign_in(text_of(form, "code"), former, device_at(request))
        except (NotAuthorised, TooManyRequests) as fault:
            return await self._form(target, fault=fault, at="code")
        # no redirect: the cookie is not sent along one that began at a file, where a one-time form is kept (H15)
        return self._entered(session, target)

    async def password(self, request: Request) -> Response:
        """Sign in with an address and a password."""
        check_origin(request, self._services.keys.inbox_origin)
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
        target, typed = next_of(text_of(form, "next")), text_of(form, "email")
        origin = origin_of(request, self._services.trusted_proxies)
        try:
            session = await entering.by_password(
                self._services, _address(typed), text_of(form, "password"), origin, device_at(request)
            )
        except (NotAuthorised, TooManyRequests) as fault:
            return await self._form(target, fault=fault, at="password", email=typed)
        await self._end_former(request)
        return self._entered(session, target)

    async def mail(self, request: Request) -> Response:
        """Have a link mailed. What is said and done is the same for every address."""
        check_origin(request, self._services.keys.inbox_origin)
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
        typed, services = text_of(form, "email"), self._services
        if services.mail is None:
            return await self._form("/", email=typed)
        address = _address(typed)
        try:
            await entering.ask_for_link(services, address, origin_of(request, services.trusted_proxies))
        except TooManyRequests as fault:
            return await self._form("/", fault=fault, at="password", email=typed)
        said = message(
            _("Look into your mailbox"),
            _("If this address is known here, a link to sign in is on its way to it. It is good for ten minutes."),
            _("Nothing came? Look among unwanted mail, or ask whoever runs this server for a code."),
            back="/sign-in",
        )
        said.background = BackgroundTask(entering.mail_link, services, address)
        return said

    async def link_form(self, request: Request) -> Response:
        """Where a mailed link leads: a page with a button, because mail scanners open links (H15)."""
        token = str(request.path_params["token"])
        lives = _TOKEN.fullmatch(token) is not None and await self._services.store.read(
            lambda tx: sign_in.is_link(tx, token)
        )
        return page("sign_in_link.html", 200 if lives else 404, lives=lives, token=token)

    async def link(self, request: Request) -> Response:
        """Use up a mailed link."""
        check_origin(request, self._services.keys.inbox_origin)
        token, device = str(request.path_params["token"]), device_at(request)
        try:
            session = await self._services.store.write(lambda tx: sign_in.by_link(tx, token, device))
        except NotAuthorised:
            return page("sign_in_link.html", 404, lives=False, token=token)
        await self._end_former(request)
        return self._entered(session, "/")

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        await posted(request, self._services)
        await self._end_former(request)
        team = self._services.keys.is_team
        words = _("This browser can no longer see or decide anything.")
        response = message(_("Signed out"), words, open_again=not team, sign_in=team)
        clear_session(response, secure=self._services.keys.is_secure)
        return response

    async def open_again(self, request: Request) -> Response:
        """Have the service open the inbox in the machine user's browser, signed in."""
        check_origin(request, self._services.keys.inbox_origin)
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
        return await opened(self._services, text_of(form, "request"))

    def _entered(self, session: str, target: str) -> Response:
        response = page("signed_in.html", next=target)
        set_session(response, session, secure=self._services.keys.is_secure)
        return response

    async def _end_former(self, request: Request) -> None:
        if former := session_of(request, self._services.keys):
            await self._services.store.write(lambda tx: sessions.end_this(tx, former))

    async def _form(
        self,
        target: str,
        *,
        fault: NotAuthorised | TooManyRequests | None = None,
        at: str = "",
        email: str = "",
    ) -> Response:
        services = self._services
        team = services.keys.is_team
        anybody = not team or await services.store.read(people.anybody)
        shown = page(
            "sign_in.html", fault.status if fault is not None else 200, team=team, anybody=anybody, next=target,
            mail=services.mail is not None, at=at, email=email,
            fault=f"{fault.message}." if fault is not None else None,
        )  # fmt: skip
        if isinstance(fault, TooManyRequests):
            shown.headers["Retry-After"] = str(int(fault.retry_after or self._sign_ins.seconds_left()))
        return shown


async def opened(services: Services, request_id: str) -> Response:
    """Ask the machine's browser to open the inbox, and say what happened."""
    if services.keys.is_team:
        return message(
            _("Sign in with a code"),
            _("Whoever runs this server makes one for you, good for one minute:"),
            command="hitl-mcp inbox --print --for YOUR_ADDRESS",
            back="/sign-in",
        )
    known = re.fullmatch(r"[0-9a-f]{24}", request_id) is not None
    if await services.open_inbox(request_id if known else None):
        return message(
            _("The inbox opens in a new tab"), _("It is signed in. You can close this page."), page="closing"
        )
    return message(
        _("Open it from a terminal"),
        _("The service could not open a browser window just now (or did so a moment ago). Run this in a terminal:"),
        command="hitl-mcp inbox",
    )


def device_at(request: Request) -> str:
    """What the browser calls itself, shortened."""
    return sessions.device_of(request.headers.get("user-agent", ""))


def next_of(path: str) -> str:
    """Where to go on after signing in; only to a request or an invitation."""
    return path if _NEXT.fullmatch(path) else "/"


def _address(typed: str) -> str:
    """An address as it is kept; what is none is nobody's, and is refused like one."""
    try:
        return _email.validate_python(typed)
    except ValidationError:
        return typed.strip().lower()[:320]
