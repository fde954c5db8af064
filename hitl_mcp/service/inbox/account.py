"""One's own account: name, password, and where one is signed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl_mcp.contract.ids import is_id
from hitl_mcp.errors import BadRequest, NotAuthorised, NotFound, TooManyRequests
from hitl_mcp.service import guesses, people, sessions, sign_in
from hitl_mcp.service.clock import moment
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.forms import text_of
from hitl_mcp.service.inbox.joining import name_in
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import Visit, posted, session_of, visit_of
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.passwords import MIN_LENGTH
from hitl_mcp.service.store.base import Tx


class Account:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        always = (
            Route("/account", self.account),
            Route("/account/name", self.rename, methods=["POST"]),
            Route("/account/sessions/end", self.end_one, methods=["POST"]),
            Route("/account/sessions/end-others", self.end_others, methods=["POST"]),
        )
        if not self._services.keys.is_team:  # there the terminal and the machine's browser sign in
            return always
        return (
            *always,
            Route("/account/password", self.set_password, methods=["POST"]),
            Route("/account/password/remove", self.remove_password, methods=["POST"]),
        )

    async def account(self, request: Request) -> Response:
        """What the account is."""
        return await self._shown(request, await visit_of(request, self._services))

    async def rename(self, request: Request) -> Response:
        """Be called by another name."""
        visit, form = await posted(request, self._services)
        try:
            name = name_in(form)
        except ValueError as fault:
            return await self._shown(request, visit, errors={"name": str(fault)}, status=422)
        await self._services.store.write(lambda tx: people.rename(tx, visit.person.user_id, name))
        return RedirectResponse("/account", 303)

    async def set_password(self, request: Request) -> Response:
        """Choose a password, or another one; every other session of this person ends."""
        visit, form = await posted(request, self._services)
        new, again = text_of(form, "new"), text_of(form, "again")
        try:
            await self._check_current(request, visit, text_of(form, "current"))
            if new != again:
                raise BadRequest(_("The two new passwords differ"))
            kept = await self._services.passwords.hash(new)
        except (NotAuthorised, BadRequest, TooManyRequests) as fault:
            return await self._refused(request, visit, fault)
        session = session_of(request, self._services.keys)
        await self._services.store.write(lambda tx: sign_in.set_password(tx, visit.person.user_id, kept, session))
        done = _("The password was set. Everywhere else you were signed out.")
        return await self._shown(request, visit, done=done)

    async def remove_password(self, request: Request) -> Response:
        """Have no password any more; codes and mailed links still sign in."""
        visit, form = await posted(request, self._services)
        try:
            await self._check_current(request, visit, text_of(form, "current"))
        except (NotAuthorised, TooManyRequests) as fault:
            return await self._refused(request, visit, fault)
        session = session_of(request, self._services.keys)
        await self._services.store.write(lambda tx: sign_in.set_password(tx, visit.person.user_id, None, session))
        done = _("The password was removed. Everywhere else you were signed out.")
        return await self._shown(request, visit, done=done)

    async def _check_current(self, request: Request, visit: Visit, typed: str) -> None:
        """Who borrows an open browser must not take the account. Raises: NotAuthorised, TooManyRequests."""
        services, session = self._services, session_of(request, self._services.keys)

        def read(tx: Tx) -> tuple[str | None, bool]:
            return sign_in.password_of(tx, visit.person.user_id), sessions.is_fresh(tx, session)

        kept, fresh = await services.store.read(read)
        if kept is None or (fresh and not typed):
            return
        limit = guesses.PASSWORD_HERE.about(visit.person.user_id, "account")
        await services.store.write(lambda tx: guesses.take(tx, limit))
        if not await services.passwords.fits(kept, typed):
            raise NotAuthorised(_("The current password is another one"))
        await services.store.write(lambda tx: guesses.forget(tx, [limit]))

    async def _refused(
        self, request: Request, visit: Visit, fault: NotAuthorised | BadRequest | TooManyRequests
    ) -> Response:
        field = "current" if not isinstance(fault, BadRequest) else "new"
        status = 429 if isinstance(fault, TooManyRequests) else 422
        shown = await self._shown(request, visit, errors={field: f"{fault.message}."}, status=status)
        if isinstance(fault, TooManyRequests) and fault.retry_after is not None:
            shown.headers["Retry-After"] = str(int(fault.retry_after))
        return shown

    async def end_one(self, request: Request) -> Response:
        """End one session."""
        visit, form = await posted(request, self._services)
        session_id = text_of(form, "session")
        if not is_id(session_id):
            raise NotFound(_("There is no such session"))
        await self._services.store.write(lambda tx: sessions.end_one(tx, visit.person.user_id, session_id))
        return RedirectResponse("/account#sessions", 303)

    async def end_others(self, request: Request) -> Response:
        """End every session but this one."""
        visit, _form = await posted(request, self._services)
        session = session_of(request, self._services.keys)
        await self._services.store.write(lambda tx: sessions.end_others(tx, visit.person.user_id, session))
        return RedirectResponse("/account#sessions", 303)

    async def _shown(
        self,
        request: Request,
        visit: Visit,
        *,
        errors: dict[str, str] | None = None,
        done: str | None = None,
        status: int = 200,
    ) -> Response:
        session = session_of(request, self._services.keys)

        def read(tx: Tx) -> dict[str, Any]:
            return {
                "sessions": sessions.listed(tx, visit.person.user_id, session),
                "email": people.address_of(tx, visit.person.user_id),
                "has_password": sign_in.password_of(tx, visit.person.user_id) is not None,
                "fresh": sessions.is_fresh(tx, session),
                "now": moment(tx.now),
            }

        found = await self._services.store.read(read)
        return page(
            "account.html", status, page="account", visit=visit, errors=errors or {}, done=done,
            team=self._services.keys.is_team, mail=self._services.mail is not None, min_length=MIN_LENGTH, **found,
        )  # fmt: skip
