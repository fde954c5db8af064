"""Where an invitation leads: asking to join, being let in, and what comes next (H10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hitl_mcp.contract.states import Channel
from hitl_mcp.contract.teams import Email
from hitl_mcp.contract.text import Text
from hitl_mcp.errors import Conflict, NotFound
from hitl_mcp.service import guesses, invitations, joining, loops, sessions
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.characters import invisible_in
from hitl_mcp.service.inbox.doors import MAX_FIELDS, device_at
from hitl_mcp.service.inbox.forms import text_of
from hitl_mcp.service.inbox.markdown import render
from hitl_mcp.service.inbox.one import own_address
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import check_origin, person_at, session_of, set_session
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.search.people import guidelines_of
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.web.origins import origin_of

MAX_NAME = 200
_email: TypeAdapter[str] = TypeAdapter(Email)
_text: TypeAdapter[str] = TypeAdapter(Text)


class Joining:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._own = own_address(services.keys)

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        return (
            Route("/join/{code:str}", self.join_form),
            Route("/join/{code:str}", self.join, methods=["POST"]),
        )

    async def join_form(self, request: Request) -> Response:
        """Where an invitation leads. Looking at it changes nothing."""
        return await self._form(request, status=200)

    async def join(self, request: Request) -> Response:
        """Come with an invitation: a signed-in person as themselves, anybody else by name and address."""
        check_origin(request, self._services.keys.inbox_origin)
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
        code = str(request.path_params["code"])
        invitation = await self._invitation(request, code)
        person = await person_at(self._services, session_of(request, self._services.keys))
        session: str | None = None
        try:
            if person is not None:
                joined = await self._services.store.write(lambda tx: joining.join_as(tx, code, person))
            else:
                name = name_in(form)
                address = invitation.email or _address_in(form)
                joined, session = await self._new_person(request, code, address, name)
        except ValueError as fault:
            return await self._form(request, status=422, fault=str(fault), form=form)
        except Conflict as conflict:
            return await self._form(request, status=409, fault=f"{conflict.message}.", form=form)
        found = await self._services.store.read(lambda tx: _welcome(tx, joined.loop_id))
        guidelines = render(found["guidelines"], self._own) if found["guidelines"] and joined.active else None
        shown = page(
            "joined.html", loop=found["loop"], active=joined.active, guidelines=guidelines,
            team=self._services.keys.is_team, role=invitation.role,
        )  # fmt: skip
        if session is not None:
            set_session(shown, session, secure=self._services.keys.is_secure)
        return shown

    async def _new_person(self, request: Request, code: str, address: str, name: str) -> tuple[joining.Joined, str]:
        device, origin = device_at(request), self._origin(request)

        def come(tx: Tx) -> tuple[joining.Joined, str]:
            joined = joining.join(tx, code, address, name)
            return joined, sessions.start(tx, joined.user_id, Channel.INBOX, device)

        try:
            return await self._services.store.write(come)
        except Conflict:  # whether an address is known may not be tried out in numbers
            await self._services.store.write(lambda tx: guesses.note(tx, origin))
            raise

    async def _form(
        self, request: Request, *, status: int, fault: str | None = None, form: FormData | None = None
    ) -> Response:
        code = str(request.path_params["code"])
        invitation = await self._invitation(request, code)
        loop = await self._services.store.read(lambda tx: loops.found(tx, invitation.loop_id))
        person = await person_at(self._services, session_of(request, self._services.keys))
        typed = {name: text_of(form, name) if form is not None else "" for name in ("name", "email")}
        return page(
            "join.html", status, code=code.upper(), loop=loop.name, description=loop.description, person=person,
            fault=fault, typed=typed, invitation=invitation, team=self._services.keys.is_team,
        )  # fmt: skip

    async def _invitation(self, request: Request, code: str) -> invitations.Invitation:
        """The living invitation; wrong codes are counted. Raises: NotFound, TooManyRequests."""
        origin = self._origin(request)
        await self._services.store.read(lambda tx: guesses.check(tx, origin))
        try:
            return await self._services.store.read(lambda tx: invitations.found(tx, code))
        except NotFound:
            await self._services.store.write(lambda tx: guesses.note(tx, origin))
            raise

    def _origin(self, request: Request) -> guesses.About:
        return guesses.INVITATION.about(origin_of(request, self._services.trusted_proxies))


def _welcome(tx: Tx, loop_id: str) -> dict[str, Any]:
    return {"loop": loops.found(tx, loop_id), "guidelines": guidelines_of(tx, loop_id)}


def name_in(form: FormData) -> str:
    """The name somebody gives. Raises: ValueError, in words for the page."""
    name = text_of(form, "name").strip()
    if not name or len(name) > MAX_NAME or not name.isprintable() or invisible_in(name):
        raise ValueError(_("Give your name, as others know you."))
    try:
        return _text.validate_python(name)
    except ValidationError:
        raise ValueError(_("Give your name, as others know you.")) from None


def _address_in(form: FormData) -> str:
    return address_of(text_of(form, "email"))


def address_of(typed: str) -> str:
    """An e-mail address as it is kept. Raises: ValueError, in words for the page."""
    try:
        return _email.validate_python(typed)
    except ValidationError:
        raise ValueError(_("Give an e-mail address, like ada@example.com.")) from None
