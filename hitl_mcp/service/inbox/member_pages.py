"""What is done with the people of a loop and the ways in: invite, withdraw, change a role, remove (H10)."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.models import Loop
from hitl_mcp.contract.teams import Member, Role
from hitl_mcp.errors import BadRequest, Conflict, NotFound, ServiceFault
from hitl_mcp.service import guesses, invitations, leaving, loop_settings, loops, members
from hitl_mcp.service.actors import Person
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.forms import text_of
from hitl_mcp.service.inbox.joining import address_of
from hitl_mcp.service.inbox.loop_pages import id_in
from hitl_mcp.service.inbox.markdown import plain
from hitl_mcp.service.inbox.render import message, page
from hitl_mcp.service.inbox.session import posted, visit_of
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.membership import need_owner
from hitl_mcp.service.qr import png
from hitl_mcp.service.store.base import Tx


class MemberPages:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        one = "/loops/{loop_id:str}"
        member = f"{one}/members/{{user_id:str}}"
        return (
            Route(f"{one}/invitations", self.invite, methods=["POST"]),
            Route(f"{one}/invitations/withdraw", self.withdraw, methods=["POST"]),
            Route(f"{one}/qr/{{code:str}}", self.picture),
            Route(f"{member}/role", self.change_role, methods=["POST"]),
            Route(f"{member}/remove", self.remove_form),
            Route(f"{member}/remove", self.remove, methods=["POST"]),
        )

    async def invite(self, request: Request) -> Response:
        """A new code, or an invitation by mail."""
        visit, form = await posted(request, self._services)
        loop_id, role, typed = id_in(request), _role_in(text_of(form, "role")), text_of(form, "email").strip()
        if typed:
            return await self._by_mail(visit.person, loop_id, role, typed)
        replaced = text_of(form, "instead_of")

        def renew(tx: Tx) -> None:
            if replaced:
                invitations.withdraw(tx, visit.person, loop_id, replaced)
            invitations.make(tx, visit.person, loop_id, role)

        await self._services.store.write(renew)
        return RedirectResponse(f"/loops/{loop_id}#invitations", 303)

    async def _by_mail(self, person: Person, loop_id: str, role: Role, typed: str) -> Response:
        services, mail = self._services, self._services.mail
        try:
            address = address_of(typed)
        except ValueError as fault:
            raise BadRequest(str(fault).rstrip(".")) from None
        if mail is None:
            raise BadRequest(_("This server sends no mail. Give them a code instead"))
        limits = guesses.LINK_TO.about(address), guesses.LINKS_FROM.about(person.user_id)

        def make(tx: Tx) -> tuple[str, Loop]:
            code = invitations.make(tx, person, loop_id, role, address)
            guesses.take(tx, *limits)
            return code, loops.found(tx, loop_id)

        code, loop = await services.store.write(make)
        names = {"name": plain(person.name), "loop": plain(loop.name), "address": services.keys.join_url(code)}
        try:
            await mail.send(address, _("{name} invites you to {loop}").format(**names), _letter().format(**names))
        except ServiceFault:
            await services.store.write(lambda tx: invitations.use_up(tx, code))
            raise
        return RedirectResponse(f"/loops/{loop_id}#invitations", 303)

    async def withdraw(self, request: Request) -> Response:
        """End an invitation."""
        visit, form = await posted(request, self._services)
        loop_id, mark = id_in(request), text_of(form, "invitation")
        await self._services.store.write(lambda tx: invitations.withdraw(tx, visit.person, loop_id, mark))
        return RedirectResponse(f"/loops/{loop_id}#invitations", 303)

    async def picture(self, request: Request) -> Response:
        """A code of the loop as a picture for a phone's camera, for who may invite."""
        visit, loop_id = await visit_of(request, self._services), id_in(request)
        code = str(request.path_params["code"]).removesuffix(".png")
        await self._services.store.read(lambda tx: invitations.shown_to(tx, visit.person, loop_id, code))
        return Response(png(self._services.keys.join_url(code)), media_type="image/png")

    async def change_role(self, request: Request) -> Response:
        """Make a member an owner, a reviewer or a viewer."""
        visit, form = await posted(request, self._services)
        loop_id, user_id = id_in(request), _user_in(request)
        role = _role_in(text_of(form, "role"))
        try:
            await self._services.store.write(lambda tx: leaving.change_role(tx, visit.person, loop_id, user_id, role))
        except Conflict as conflict:
            return message(_("The role stays"), f"{conflict.message}.", status=409, back=f"/loops/{loop_id}")
        return RedirectResponse(f"/loops/{loop_id}#members", 303)

    async def remove_form(self, request: Request) -> Response:
        """What removing means, before it is done."""
        visit, loop_id = await visit_of(request, self._services), id_in(request)
        user_id = _user_in(request)

        def read(tx: Tx) -> tuple[Loop, Member]:
            loop_settings.of_loop(tx, visit.person, loop_id)
            need_owner(tx, loop_id, visit.person.user_id)
            found = [one for one in members.of_loop(tx, loop_id) if one.user_id == user_id]
            if not found:
                raise NotFound(_("This person is not a member of the loop"))
            return loops.found(tx, loop_id), found[0]

        loop, member = await self._services.store.read(read)
        return page("member_remove.html", page="loop", visit=visit, loop=loop, member=member)

    async def remove(self, request: Request) -> Response:
        """Take a person out of the loop."""
        visit, _form = await posted(request, self._services)
        loop_id, user_id = id_in(request), _user_in(request)
        await self._services.store.write(lambda tx: leaving.take_out(tx, visit.person, loop_id, user_id))
        return RedirectResponse(f"/loops/{loop_id}#members", 303)


def _user_in(request: Request) -> str:
    user_id = str(request.path_params["user_id"]).lower()
    if not is_id(user_id):
        raise NotFound(_("This person is not a member of the loop"))
    return user_id


def _role_in(typed: str) -> Role:
    try:
        return Role(typed)
    except ValueError:
        raise BadRequest(_("Choose a role: owner, reviewer or viewer")) from None


def _letter() -> str:
    return _(
        "{name} invites you to the loop {loop}, where people decide what AI agents may do.\n\n"
        "Open this page within seven days to accept; it is for you alone:\n\n  {address}\n\n"
        "If you do not expect this, do nothing.\n"
    )
