"""API keys in the pages: made for oneself, shown once, revoked (H9). The service's owner sees everybody's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.teams import DEFAULT_SCOPES, Role, Scope
from hitl_mcp.contract.text import storable
from hitl_mcp.errors import NotAllowed, NotFound
from hitl_mcp.service import keys, loop_settings, loops
from hitl_mcp.service.actors import Person
from hitl_mcp.service.clock import moment
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.forms import text_of
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import Visit, posted, visit_of
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.joining import is_let_in
from hitl_mcp.service.store.base import Tx

MAX_NAME = 200


class KeyPages:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        return (
            Route("/keys", self.list),
            Route("/keys", self.create, methods=["POST"]),
            Route("/keys/{key_id:str}/revoke", self.revoke_form),
            Route("/keys/{key_id:str}/revoke", self.revoke, methods=["POST"]),
        )

    async def list(self, request: Request) -> Response:
        """The keys, and the form for a new one."""
        return await self._shown(await visit_of(request, self._services))

    async def create(self, request: Request) -> Response:
        """Make a key. Its secrets are on the page that answers and nowhere else."""
        visit, form = await posted(request, self._services)
        name = text_of(form, "name").strip()
        scopes = [scope for scope, *_words in _scopes() if scope.value in form.getlist("scope")]  # what is offered
        loop_ids = [str(one) for one in form.getlist("loop") if is_id(str(one))]
        typed = {"name": name, "scopes": scopes, "loop_ids": loop_ids}
        wrong = _faults(name, scopes)
        if wrong:
            return await self._shown(visit, typed=typed, errors=wrong, status=422)

        def make(tx: Tx) -> tuple[keys.Secrets, dict[str, Any]]:
            self._need_let_in(tx, visit.person)
            _check_loops(tx, visit.person, loop_ids)
            return keys.create(tx, keys.NewKey(name, visit.person.user_id, scopes, loop_ids or None))

        secrets, made = await self._services.store.write(make)
        return page(
            "key_made.html", page="keys", visit=visit, secrets=secrets, made=made,
            base_url=self._services.keys.public_address,
        )  # fmt: skip

    async def revoke_form(self, request: Request) -> Response:
        """What revoking means."""
        visit, key_id = await visit_of(request, self._services), _id_in(request)
        found = await self._services.store.read(lambda tx: self._mine(tx, visit.person, key_id))
        return page("key_revoke.html", page="keys", visit=visit, key=found)

    async def revoke(self, request: Request) -> Response:
        """End a key for good."""
        visit, _form = await posted(request, self._services)
        key_id = _id_in(request)

        def end(tx: Tx) -> None:
            self._mine(tx, visit.person, key_id)
            keys.revoke(tx, key_id)

        await self._services.store.write(end)
        return RedirectResponse("/keys", 303)

    def _need_let_in(self, tx: Tx, person: Person) -> None:
        """Raises: NotAllowed for a newcomer whom nobody has let in."""
        if person.user_id != self._services.account.user_id and not is_let_in(tx, person.user_id):
            raise NotAllowed(_("Nobody has let you into a loop yet, so there is nothing a key could do"))

    def _mine(self, tx: Tx, person: Person, key_id: str) -> dict[str, Any]:
        """A key that this person may revoke. Raises: NotFound."""
        for one in keys.listed(tx, self._whose(person)):
            if one["id"] == key_id:
                return one
        raise NotFound(_("There is no such key"))

    def _whose(self, person: Person) -> str | None:
        """The service's owner keeps everybody's keys; others their own."""
        return None if person.user_id == self._services.account.user_id else person.user_id

    async def _shown(
        self,
        visit: Visit,
        *,
        typed: dict[str, Any] | None = None,
        errors: dict[str, str] | None = None,
        status: int = 200,
    ) -> Response:
        def read(tx: Tx) -> dict[str, Any]:
            found = keys.listed(tx, self._whose(visit.person))
            mine = loops.joined(tx, visit.person.user_id)
            return {
                "now": moment(tx.now),
                "keys": sorted(found, key=lambda one: one["revoked_at"] is not None),
                "loops": mine,
                "loop_names": {loop_id: loops.named(tx, loop_id) for one in found for loop_id in one["loop_ids"] or ()},
                "owned": {id for id, part in loop_settings.parts_of(tx, visit.person).items() if part is Role.OWNER},
            }

        values = typed or {"name": "", "scopes": list(DEFAULT_SCOPES), "loop_ids": []}
        found = await self._services.store.scan(read)
        return page(
            "keys.html", status, page="keys", visit=visit, scopes=_scopes(), typed=values, errors=errors or {},
            sees_all=self._whose(visit.person) is None, **found,
        )  # fmt: skip


def _faults(name: str, scopes: Sequence[Scope]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    try:
        fits = 0 < len(storable(name)) <= MAX_NAME
    except ValueError:
        fits = False
    if not fits:
        wrong["name"] = _("Give the key a name of at most 200 characters, such as the program that will use it.")
    if not scopes:
        wrong["scope"] = _("Choose at least one thing that the key may do.")
    return wrong


def _check_loops(tx: Tx, person: Person, loop_ids: Sequence[str]) -> None:
    """Only one's own loops; which others there are is not said. Raises: NotFound."""
    mine = {loop.id for loop in loops.joined(tx, person.user_id)}
    if not mine.issuperset(loop_ids):
        raise NotFound(_("You are not in one of these loops"))


def _id_in(request: Request) -> str:
    key_id = str(request.path_params["key_id"]).lower()
    if not is_id(key_id):
        raise NotFound(_("There is no such key"))
    return key_id


def _scopes() -> list[tuple[Scope, str, str]]:
    """Each scope, what it lets a program do, and for those that are not usual why one hesitates."""
    return [
        (Scope.REQUESTS_WRITE, _("Ask questions, change and withdraw its own, rate answers"), ""),
        (Scope.REQUESTS_READ, _("Read requests and their answers"), ""),
        (Scope.LOOPS_READ, _("See your loops and their people"), ""),
        (
            Scope.LOOPS_WRITE,
            _("Make, rename and archive loops in your name, and make codes to join them"),
            _("Give it only to programs that set loops up. Policies and roles stay with people."),
        ),
        (
            Scope.MEMBERS_WRITE,
            _("Invite people into your loops, and remove members"),
            _("It can take reviewers out of your loops. Nobody is let in by it."),
        ),
        (
            Scope.WEBHOOKS_WRITE,
            _("Register webhooks, as Zapier and hooks of your own do"),
            _("It can have what is asked with it told to any public address."),
        ),
    ]
