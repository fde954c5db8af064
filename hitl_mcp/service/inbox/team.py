"""Joining a loop, and letting newcomers in (H10)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.states import Channel
from hitl_mcp.contract.teams import Email
from hitl_mcp.contract.text import Text
from hitl_mcp.errors import Conflict, NotFound
from hitl_mcp.service import loops, media, members, people
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.characters import invisible_in
from hitl_mcp.service.inbox.doors import MAX_FIELDS
from hitl_mcp.service.inbox.forms import text_of
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import check_origin, check_token, person_at, session_of, set_session, visit_of
from hitl_mcp.service.store.base import Tx

MAX_NAME = 200
_DIGEST = re.compile(r"[0-9a-f]{64}")
_email: TypeAdapter[str] = TypeAdapter(Email)
_text: TypeAdapter[str] = TypeAdapter(Text)


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
            Route("/join/{code:str}", self.join_form),
            Route("/join/{code:str}", self.join, methods=["POST"]),
            Route("/media/{digest:str}", self.image),
        )

    async def people(self, request: Request) -> Response:
        """The people of the loops, and who waits to be let in."""
        visit = await visit_of(request, self._services)

        def read(tx: Tx) -> dict[str, Any]:
            mine = loops.joined(tx, visit.person.user_id)
            return {
                "newcomers": members.newcomers(tx, visit.person),
                "loops": [(loop, members.of_loop(tx, loop.id, loop.creator_id)) for loop in mine],
            }

        return page("people.html", page="people", visit=visit, **await self._services.store.scan(read))

    async def confirm(self, request: Request) -> Response:
        """Let a newcomer in."""
        return await self._judged(request, let_in=True)

    async def decline(self, request: Request) -> Response:
        """Send a newcomer away."""
        return await self._judged(request, let_in=False)

    async def _judged(self, request: Request, *, let_in: bool) -> Response:
        check_origin(request, self._services.keys.inbox_origin)
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
        visit = await visit_of(request, self._services)
        check_token(visit, form)
        loop_id, user_id = text_of(form, "loop"), text_of(form, "user")
        if not (is_id(loop_id) and is_id(user_id)):
            raise NotFound("There is no such newcomer")
        judge = members.confirm if let_in else members.decline
        await self._services.store.write(lambda tx: judge(tx, visit.person, loop_id, user_id))
        return RedirectResponse("/people", 303)

    async def join_form(self, request: Request) -> Response:
        """Where an invitation leads. Looking at it changes nothing."""
        return await self._joining(request, status=200)

    async def join(self, request: Request) -> Response:
        """Ask to join: a signed-in person as themselves, anybody else by name and address. Nobody is let in by this."""
        check_origin(request, self._services.keys.inbox_origin)
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
        code = str(request.path_params["code"])
        person = await person_at(self._services, session_of(request, self._services.keys))
        if person is not None:
            try:
                await self._services.store.write(lambda tx: members.join_as(tx, code, person))
            except Conflict as conflict:
                return await self._joining(request, status=409, fault=f"{conflict.message}.")
            return page("joined.html", visit=None)
        try:
            name, address = _named(form)
        except ValueError as fault:
            return await self._joining(request, status=422, fault=str(fault), form=form)

        def ask(tx: Tx) -> str:
            _, user_id = members.join(tx, code, address, name)
            return people.new_session(tx, user_id, Channel.INBOX)

        try:
            session = await self._services.store.write(ask)
        except Conflict as conflict:
            return await self._joining(request, status=409, fault=f"{conflict.message}.", form=form)
        response = page("joined.html", visit=None)
        set_session(response, session, secure=self._services.keys.is_secure)
        return response

    async def _joining(
        self, request: Request, *, status: int, fault: str | None = None, form: FormData | None = None
    ) -> Response:
        code = str(request.path_params["code"])

        def read(tx: Tx) -> tuple[str, str | None]:
            loop = loops.found(tx, members.loop_of_code(tx, code))
            return loop.name, loop.description

        name, description = await self._services.store.read(read)
        person = await person_at(self._services, session_of(request, self._services.keys))
        typed = {name: text_of(form, name) if form is not None else "" for name in ("name", "email")}
        return page(
            "join.html", status, code=code, loop=name, description=description, person=person, fault=fault, typed=typed
        )

    async def image(self, request: Request) -> Response:
        """An image of a question, as it was when it was asked (H5)."""
        visit = await visit_of(request, self._services)
        digest = str(request.path_params["digest"])
        if not _DIGEST.fullmatch(digest):
            raise NotFound("There is no such image")
        content_type, data = await self._services.store.scan(lambda tx: media.seen_by(tx, visit.person, digest))
        headers = {"Cache-Control": "private, max-age=31536000, immutable", "Content-Disposition": "inline"}
        return Response(data, media_type=content_type, headers=headers)


def _named(form: FormData) -> tuple[str, str]:
    name = text_of(form, "name").strip()
    if not name or len(name) > MAX_NAME or not name.isprintable() or invisible_in(name):
        raise ValueError("Give your name, as others know you.")
    try:
        return _text.validate_python(name), _email.validate_python(text_of(form, "email"))
    except ValidationError:
        raise ValueError("Give an e-mail address, like ada@example.com.") from None
