"""What a person does with one request. Each comes from a form of ours, and keeps what was typed when it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl_mcp.contract.escalation import NewEscalation
from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.reviewing import AskedBack, Reassignment
from hitl_mcp.errors import AnswerRejected, BadRequest, Conflict, NotFound, ServiceFault
from hitl_mcp.service import rows
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.forms import faults, new_answer, read_typed, text_of, typed_again
from hitl_mcp.service.inbox.one import OTHER, RequestPage
from hitl_mcp.service.inbox.render import message
from hitl_mcp.service.inbox.session import Visit, has_token, posted, received, visit_of
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.lifecycle import holding


def old_form() -> str:
    """What is said when a form belongs to an earlier sign-in."""
    return _("You have signed in again since this page was opened, so nothing was sent. Look once more, then send it.")


def not_kept(fault: ServiceFault) -> str:
    """What is said when nobody knows whether an answer was recorded."""
    return _("{fault}. Your answer may not have been kept; what this page shows now is what is known.").format(
        fault=fault.message
    )


def id_of(request: Request) -> str:
    """The request's id in the address. Raises: NotFound when it is none."""
    request_id = str(request.path_params["request_id"])
    if not is_id(request_id):
        raise NotFound("There is no such request")
    return request_id


class Requests:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._page = RequestPage(services)
        self._acts = services.lifecycle

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        one = "/requests/{request_id}"
        return (
            Route(one, self.one),
            Route(f"{one}/decision", self.decide, methods=["POST"]),
            Route(f"{one}/claim", self.claim, methods=["POST"]),
            Route(f"{one}/release", self.release, methods=["POST"]),
            Route(f"{one}/again", self.again, methods=["POST"]),
            Route(f"{one}/undo", self.undo, methods=["POST"]),
            Route(f"{one}/hand", self.hand_on, methods=["POST"]),
            Route(f"{one}/ask", self.ask_back, methods=["POST"]),
            Route(f"{one}/escalate", self.escalate, methods=["POST"]),
            Route(one + "/{action:str}", self.back),
        )

    async def one(self, request: Request) -> Response:
        """One request."""
        visit = await visit_of(request, self._services)
        return await self._page.shown(id_of(request), visit)

    async def back(self, request: Request) -> Response:
        """A reload of an address that forms post to leads to the page."""
        return RedirectResponse(f"/requests/{id_of(request)}", 303)

    async def decide(self, request: Request) -> Response:
        """A person's answer."""
        visit, form = await received(request, self._services)
        request_id, typed = id_of(request), read_typed(form)
        if not has_token(visit, form):
            return await self._page.shown(request_id, visit, typed, status=403, notice=old_form())
        try:
            before = await self._services.store.read(lambda tx: rows.find_for(tx, visit.person, request_id))
            await self._acts.decide(visit.person, request_id, new_answer(typed, before))
        except AnswerRejected as fault:
            return await self._page.shown(request_id, visit, typed, status=422, errors={fault.field: fault.reason})
        except BadRequest as fault:
            current = await self._services.store.read(lambda tx: rows.find_for(tx, visit.person, request_id))
            wrong = faults(typed, current, fault.details)
            return await self._page.shown(request_id, visit, typed, status=422, errors=wrong)
        except Conflict as conflict:
            return await self._page.shown(request_id, visit, typed, status=409, notice=f"{conflict.message}.")
        except ServiceFault as fault:
            return await self._page.shown(request_id, visit, typed, status=503, notice=not_kept(fault))
        return await self._onward(visit, request_id)

    async def again(self, request: Request) -> Response:
        """The page as it is now, with what was typed. Changes nothing."""
        visit, form = await posted(request, self._services)
        return await self._page.shown(id_of(request), visit, read_typed(form), also=form)

    async def claim(self, request: Request) -> Response:
        """Take a request for a while."""
        return await self._done(request, lambda visit, request_id, _: self._acts.claim(visit.person, request_id))

    async def release(self, request: Request) -> Response:
        """Give a request back."""
        return await self._done(request, lambda visit, request_id, _: self._acts.release(visit.person, request_id))

    async def hand_on(self, request: Request) -> Response:
        """Ask another member first, or nobody in particular."""

        async def act(visit: Visit, request_id: str, form: FormData) -> object:
            given = {"user_id": text_of(form, "whom") or None, "note": text_of(form, "note").strip()}
            try:
                wanted = Reassignment.model_validate(given)
            except ValidationError:
                raise BadRequest(_("Choose who it is handed to, and write at most 2,000 characters")) from None
            now = await self._services.store.read(lambda tx: rows.find_for(tx, visit.person, request_id))
            if wanted.note and now.assigned_to == wanted.user_id:
                raise BadRequest(_("Choose whom the note is for: nothing changes by this, so nobody would read it"))
            return await self._acts.reassign(visit.person, request_id, wanted.user_id, wanted.note)

        return await self._done(request, act, sent=("whom", "note"))

    async def ask_back(self, request: Request) -> Response:
        """Ask the agent before deciding."""

        async def act(visit: Visit, request_id: str, form: FormData) -> object:
            try:
                asked = AskedBack.model_validate({"question": text_of(form, "question").strip()})
            except ValidationError:
                raise BadRequest(_("Write what the agent is to explain, in at most 2,000 characters")) from None
            return await self._acts.ask_back(visit.person, request_id, asked.question)

        return await self._done(request, act, sent=("question",))

    async def escalate(self, request: Request) -> Response:
        """Take the next step of the loop's ladder."""

        async def act(visit: Visit, request_id: str, form: FormData) -> object:
            try:
                given = NewEscalation.model_validate({"reason": text_of(form, "reason").strip()})
            except ValidationError:
                raise BadRequest(_("Write why it is escalated, in at most 500 characters")) from None
            return await self._acts.escalate(visit.person, request_id, given.reason)

        return await self._done(request, act, sent=("reason",))

    async def undo(self, request: Request) -> Response:
        """Take one's own answer back, as long as that is possible; the form has it again."""
        visit, _form = await posted(request, self._services)
        request_id = id_of(request)
        held = await self._services.store.read(lambda tx: holding.held_by(tx, visit.person, request_id))
        try:
            item = await self._acts.undo(visit.person, request_id)
        except Conflict as conflict:
            return await self._page.shown(request_id, visit, status=409, notice=f"{conflict.message}.")
        if held is None:
            return RedirectResponse(f"/requests/{request_id}", 303)
        typed = typed_again(item, held.given.value, held.given.comment, item.revision)
        notice = _("Your answer was taken back. Nobody has seen it.")
        return await self._page.shown(request_id, visit, typed, notice=notice)

    async def _done(
        self, request: Request, act: Callable[[Visit, str, FormData], Awaitable[object]], *, sent: Collection[str] = ()
    ) -> Response:
        """Do something that is no answer; what was begun stays on the page.

        Args:
            sent: the fields that are used up by it.
        """
        visit, form = await posted(request, self._services)
        request_id, typed = id_of(request), read_typed(form)
        try:
            await act(visit, request_id, form)
        except Conflict as conflict:
            return await self._page.shown(
                request_id, visit, typed, status=409, notice=f"{conflict.message}.", also=form
            )
        except BadRequest as fault:
            return await self._page.shown(request_id, visit, typed, status=422, notice=f"{fault.message}.", also=form)
        left = FormData([(name, text_of(form, name)) for name in OTHER if name not in sent])
        is_begun = not typed.is_empty or any(text_of(left, name).strip() for name in OTHER if name != "whom")
        if is_begun and await self._is_here(visit, request_id):
            return await self._page.shown(request_id, visit, typed, also=left)
        return await self._onward(visit, request_id)

    async def _onward(self, visit: Visit, request_id: str) -> Response:
        """To the request's page, if it is still in a loop of this person."""
        if await self._is_here(visit, request_id):
            return RedirectResponse(f"/requests/{request_id}", 303)
        return message(
            _("Escalated"), _("The request has gone to a loop that you are not in. Its people decide now."), back="/"
        )

    async def _is_here(self, visit: Visit, request_id: str) -> bool:
        try:
            await self._services.store.read(lambda tx: rows.find_for(tx, visit.person, request_id))
        except NotFound:
            return False
        return True
