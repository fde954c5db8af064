"""Loops in the pages: listed, made, set up, left, archived. Policies change here and nowhere else (H9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.teams import Role
from hitl_mcp.errors import Conflict, NotFound
from hitl_mcp.service import invitations, leaving, loop_settings, loops, members
from hitl_mcp.service.clock import moment
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox import words
from hitl_mcp.service.inbox.forms import text_of
from hitl_mcp.service.inbox.markdown import render
from hitl_mcp.service.inbox.one import own_address
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import posted, visit_of
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.loop_settings import LoopSettings
from hitl_mcp.service.membership import need_owner
from hitl_mcp.service.store.base import Tx

_POLICY = {"": None, "yes": True, "no": False}


class LoopPages:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._own = own_address(services.keys)

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        one = "/loops/{loop_id:str}"
        return (
            Route("/loops", self.list),
            Route("/loops", self.create, methods=["POST"]),
            Route("/loops/new", self.new),
            Route(one, self.one),
            Route(f"{one}/edit", self.edit_form),
            Route(f"{one}/edit", self.edit, methods=["POST"]),
            Route(f"{one}/archive", self.archive_form),
            Route(f"{one}/archive", self.archive, methods=["POST"]),
            Route(f"{one}/leave", self.leave_form),
            Route(f"{one}/leave", self.leave, methods=["POST"]),
        )

    async def list(self, request: Request) -> Response:
        """The loops of this person."""
        visit = await visit_of(request, self._services)

        def read(tx: Tx) -> dict[str, Any]:
            return {
                "loops": loops.joined(tx, visit.person.user_id),
                "parts": loop_settings.parts_of(tx, visit.person),
                "newcomers": members.newcomers(tx, visit.person),
                "may_create": loop_settings.may_create(tx, visit.person, self._services.account.user_id),
            }

        return page("loops.html", page="loops", visit=visit, **await self._services.store.scan(read))

    async def one(self, request: Request) -> Response:
        """One loop: its people, the ways in, and what was set up."""
        visit, loop_id = await visit_of(request, self._services), id_in(request)

        def read(tx: Tx) -> dict[str, Any]:
            settings = loop_settings.of_loop(tx, visit.person, loop_id)
            part = loop_settings.parts_of(tx, visit.person)[loop_id]
            waiting = [one for one in members.newcomers(tx, visit.person) if one["loop"].id == loop_id]
            return {
                "now": moment(tx.now),
                "here": loops.found(tx, loop_id),
                "settings": settings,
                "part": part,
                "members": members.of_loop(tx, loop_id),
                "newcomers": waiting,
                "invitations": invitations.living(tx, loop_id) if part is not Role.VIEWER else [],
            }

        found = await self._services.store.scan(read)
        guidelines = found["settings"].guidelines
        return page(
            "loop.html", page="loop", visit=visit, **found, roles=_roles(found["part"]),
            guidelines=render(guidelines, self._own) if guidelines else None,
            join_url=self._services.keys.join_url, mail=self._services.mail is not None,
        )  # fmt: skip

    async def new(self, request: Request) -> Response:
        """The form for a new loop."""
        visit = await visit_of(request, self._services)
        return self._form(visit, None, {"icon": "shield-check", "undo_seconds": "0"})

    async def create(self, request: Request) -> Response:
        """Make a loop."""
        visit, form = await posted(request, self._services)
        wanted, wrong = _settings_in(form)
        if wanted is None:
            return self._form(visit, None, _typed(form), wrong, 422)
        first = self._services.account.user_id
        loop_id = await self._services.store.write(lambda tx: loop_settings.create(tx, visit.person, first, wanted))
        return RedirectResponse(f"/loops/{loop_id}", 303)

    async def edit_form(self, request: Request) -> Response:
        """The form that sets up a loop, for its owners."""
        visit, loop_id = await visit_of(request, self._services), id_in(request)

        def read(tx: Tx) -> LoopSettings:
            settings = loop_settings.of_loop(tx, visit.person, loop_id)
            need_owner(tx, loop_id, visit.person.user_id)
            return settings

        now = await self._services.store.read(read)
        said = {None: "", True: "yes", False: "no"}[now.allow_client_answers]
        shown = {name: str(value or "") for name, value in now}
        values = shown | {"undo_seconds": str(now.undo_seconds), "allow_client_answers": said}
        return self._form(visit, loop_id, values)

    async def edit(self, request: Request) -> Response:
        """Set a loop up."""
        visit, form = await posted(request, self._services)
        loop_id = id_in(request)
        wanted, wrong = _settings_in(form)
        if wanted is None:
            return self._form(visit, loop_id, _typed(form), wrong, 422)
        await self._services.store.write(lambda tx: loop_settings.change(tx, visit.person, loop_id, wanted))
        return RedirectResponse(f"/loops/{loop_id}", 303)

    async def archive_form(self, request: Request) -> Response:
        """What archiving means, or which requests stand in its way."""
        visit, loop_id = await visit_of(request, self._services), id_in(request)
        return await self._archiving(visit, loop_id, None, 200)

    async def archive(self, request: Request) -> Response:
        """Take a loop out of use."""
        visit, _form = await posted(request, self._services)
        loop_id = id_in(request)
        try:
            await self._services.store.write(lambda tx: loop_settings.archive(tx, visit.person, loop_id))
        except Conflict as conflict:
            return await self._archiving(visit, loop_id, f"{conflict.message}.", 409)
        return RedirectResponse("/loops", 303)

    async def _archiving(self, visit: Any, loop_id: str, fault: str | None, status: int) -> Response:
        def read(tx: Tx) -> tuple[Any, list[tuple[str, str]]]:
            loop_settings.of_loop(tx, visit.person, loop_id)
            need_owner(tx, loop_id, visit.person.user_id)
            return loops.found(tx, loop_id), loop_settings.open_ones(tx, loop_id)

        loop, waiting = await self._services.store.read(read)
        lines = [(request_id, words.first_line(text)) for request_id, text in waiting]
        return page("loop_archive.html", status, page="loop", visit=visit, loop=loop, waiting=lines, fault=fault)

    async def leave_form(self, request: Request) -> Response:
        """What leaving means."""
        visit, loop_id = await visit_of(request, self._services), id_in(request)
        return await self._leaving(visit, loop_id, None, 200)

    async def leave(self, request: Request) -> Response:
        """Go out of a loop."""
        visit, _form = await posted(request, self._services)
        loop_id = id_in(request)
        try:
            await self._services.store.write(lambda tx: leaving.leave(tx, visit.person, loop_id))
        except Conflict as conflict:
            return await self._leaving(visit, loop_id, f"{conflict.message}.", 409)
        return RedirectResponse("/loops", 303)

    async def _leaving(self, visit: Any, loop_id: str, fault: str | None, status: int) -> Response:
        def read(tx: Tx) -> Any:
            loop_settings.of_loop(tx, visit.person, loop_id)
            return loops.found(tx, loop_id)

        loop = await self._services.store.read(read)
        return page("loop_leave.html", status, page="loop", visit=visit, loop=loop, fault=fault)

    def _form(
        self,
        visit: Any,
        loop_id: str | None,
        values: dict[str, str],
        errors: dict[str, str] | None = None,
        status: int = 200,
    ) -> Response:
        fields = dict.fromkeys(LoopSettings.model_fields, "") | values
        return page(
            "loop_edit.html", status, page="loop", visit=visit, loop_id=loop_id, values=fields, errors=errors or {},
            max_undo=loop_settings.MAX_UNDO_SECONDS, max_guidelines=loop_settings.MAX_GUIDELINES,
            team=self._services.keys.is_team,
        )  # fmt: skip


def id_in(request: Request) -> str:
    """The loop's id in the path. Raises: NotFound for what is none."""
    loop_id = str(request.path_params["loop_id"]).lower()
    if not is_id(loop_id):
        raise NotFound(_("Loop not found"))
    return loop_id


def _roles(part: Role) -> list[Role]:
    """What this person may invite others as."""
    return [Role.REVIEWER, Role.VIEWER, *([Role.OWNER] if part is Role.OWNER else [])]


def _typed(form: FormData) -> dict[str, str]:
    return {name: text_of(form, name) for name in LoopSettings.model_fields}


def _settings_in(form: FormData) -> tuple[LoopSettings | None, dict[str, str]]:
    """What was typed as settings, or what is wrong with which field."""
    typed = _typed(form)
    undo = typed["undo_seconds"].strip() or "0"
    values: dict[str, Any] = typed | {
        "icon": typed["icon"] or "shield-check",
        "description": typed["description"] or None,
        "guidelines": typed["guidelines"] or None,
        "undo_seconds": undo if undo.isascii() else "?",
        "allow_client_answers": _POLICY.get(typed["allow_client_answers"]),
    }
    try:
        return LoopSettings.model_validate(values), {}
    except ValidationError as fault:
        limits = {
            "name": _("Give the loop a name of at most 100 characters."),
            "icon": _("The icon's name has at most 100 characters."),
            "description": _("The description has at most 500 characters."),
            "guidelines": _("The guidelines are too long, or hold characters that cannot be kept."),
            "undo_seconds": _("Give a whole number of seconds, from 0 to 300."),
        }
        named = {str(one["loc"][0]) for one in fault.errors(include_url=False, include_input=False)}
        return None, {name: limits.get(name, _("This does not fit.")) for name in sorted(named)}
