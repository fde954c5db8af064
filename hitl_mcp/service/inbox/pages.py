"""The inbox's pages for a signed-in person: the list, one request, and what is done with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl_mcp.contract.answers import FormConfig
from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.states import Kind, Status
from hitl_mcp.errors import AnswerRejected, BadRequest, Conflict, NotFound, ServiceFault
from hitl_mcp.service import keys, loops, members, rows
from hitl_mcp.service.clock import moment
from hitl_mcp.service.context import Keys, Services
from hitl_mcp.service.inbox import view, words
from hitl_mcp.service.inbox.controls import answer_form
from hitl_mcp.service.inbox.forms import Typed, faults, new_answer, read_typed
from hitl_mcp.service.inbox.markdown import OwnAddress, render
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import Visit, check_origin, check_token, has_token, visit_of
from hitl_mcp.service.membership import joined_by
from hitl_mcp.service.store.base import Tx

SHOWN = 200
RECENT = 20
MAX_FIELDS = 1_200
"""A form of 50 fields with 20 boxes each."""
OLD_FORM = "You have signed in again since this page was opened, so nothing was sent. Look once more, then send it."


def own_address(known: Keys) -> OwnAddress:
    """Where the inbox answers, as host and port."""
    parts = urlsplit(known.inbox_origin)
    return OwnAddress(parts.hostname or "", parts.port or (443 if known.is_secure else 80))


class Pages:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._own = own_address(services.keys)

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        one = "/requests/{request_id}"
        return (
            Route("/", self.list),
            Route(one, self.one),
            Route(f"{one}/decision", self.decide, methods=["POST"]),
            Route(f"{one}/claim", self.claim, methods=["POST"]),
            Route(f"{one}/release", self.release, methods=["POST"]),
            Route(f"{one}/again", self.again, methods=["POST"]),
            Route(one + "/{action:str}", self.back),
        )

    async def list(self, request: Request) -> Response:
        """What waits, the most urgent first, and what was closed last."""
        visit = await visit_of(request, self._services)

        def read(tx: Tx) -> dict[str, Any]:
            return {
                "open": rows.open_requests(tx, visit.person, SHOWN),
                "open_count": rows.open_count_for(tx, visit.person),
                "closed": rows.recently_closed(tx, visit.person, RECENT),
                "loops": {loop.id: loop.name for loop in loops.listed(tx, visit.person.user_id)},
                "newcomers": len(members.newcomers(tx, visit.person)),
                "member": bool(joined_by(tx, visit.person.user_id)),
                "now": moment(tx.now),
            }

        found = await self._services.store.scan(read)
        found["open"] = [(item, words.first_line(item.request_text)) for item in found["open"]]
        found["closed"] = [_closed_line(item, visit.person.user_id) for item in found["closed"]]
        return page("list.html", page="list", visit=visit, **found)

    async def one(self, request: Request) -> Response:
        """One request."""
        visit = await visit_of(request, self._services)
        return await self._shown(_id_of(request), visit)

    async def back(self, request: Request) -> Response:
        """A reload of an address that forms post to leads to the page."""
        return RedirectResponse(f"/requests/{_id_of(request)}", 303)

    async def decide(self, request: Request) -> Response:
        """A person's answer."""
        visit, form = await self._posted(request)
        request_id, typed = _id_of(request), read_typed(form)
        if not has_token(visit, form):
            return await self._shown(request_id, visit, typed, status=403, notice=OLD_FORM)
        try:
            before = await self._services.store.read(lambda tx: rows.find_for(tx, visit.person, request_id))
            await self._services.lifecycle.decide(visit.person, request_id, new_answer(typed, before))
        except AnswerRejected as fault:
            return await self._shown(request_id, visit, typed, status=422, errors={fault.field: fault.reason})
        except BadRequest as fault:
            current = await self._services.store.read(lambda tx: rows.find_for(tx, visit.person, request_id))
            wrong = faults(typed, current, fault.details)
            return await self._shown(request_id, visit, typed, status=422, errors=wrong)
        except Conflict as conflict:
            return await self._shown(request_id, visit, typed, status=409, notice=f"{conflict.message}.")
        except ServiceFault as fault:
            notice = f"{fault.message}. Your answer may not have been kept; what this page shows now is what is known."
            return await self._shown(request_id, visit, typed, status=503, notice=notice)
        return RedirectResponse(f"/requests/{request_id}", 303)

    async def again(self, request: Request) -> Response:
        """The page as it is now, with what was typed. Changes nothing."""
        visit, form = await self._posted(request)
        check_token(visit, form)
        return await self._shown(_id_of(request), visit, read_typed(form))

    async def claim(self, request: Request) -> Response:
        """Take a request for a while."""
        return await self._taken(request, take=True)

    async def release(self, request: Request) -> Response:
        """Give a request back."""
        return await self._taken(request, take=False)

    async def _taken(self, request: Request, *, take: bool) -> Response:
        visit, form = await self._posted(request)
        check_token(visit, form)
        request_id, typed = _id_of(request), read_typed(form)
        try:
            if take:
                await self._services.lifecycle.claim(visit.person, request_id)
            else:
                await self._services.lifecycle.release(visit.person, request_id)
        except Conflict as conflict:
            return await self._shown(request_id, visit, typed, status=409, notice=f"{conflict.message}.")
        if not typed.is_empty:
            return await self._shown(request_id, visit, typed)
        return RedirectResponse(f"/requests/{request_id}", 303)

    async def _posted(self, request: Request) -> tuple[Visit, FormData]:
        """A form from our origin and a signed-in person; its token is still to be checked.

        What it holds is kept for the page that a failure leads to.
        """
        check_origin(request, self._services.keys.inbox_origin)
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
        request.state.typed = read_typed(form)
        return await visit_of(request, self._services), form

    async def _shown(
        self,
        request_id: str,
        visit: Visit,
        typed: Typed | None = None,
        *,
        status: int = 200,
        errors: dict[str, str] | None = None,
        notice: str | None = None,
    ) -> Response:
        def read(tx: Tx) -> dict[str, Any]:
            item = rows.find_for(tx, visit.person, request_id)
            return {
                "item": item,
                "history": rows.history(tx, request_id),
                "loop": loops.named(tx, item.loop_id),
                "key": keys.named(tx, item.api_key_id) if self._services.keys.is_team else None,
                "open_count": rows.open_count_for(tx, visit.person),
                "next": next(
                    (other for other in rows.open_requests(tx, visit.person, 2) if other.id != request_id), None
                ),
                "now": moment(tx.now),
            }

        found = await self._services.store.scan(read)
        item: ReviewRequest = found["item"]
        changed = _changes_since(found["history"], typed.revision) if typed is not None and typed.revision else []
        if changed and notice is None and item.status.is_open:
            notice = "The request was changed after you opened it. Read it again before you decide."
        form = answer_form(item, typed, self._own) if item.status.is_open else None
        values = found | {
            "text": None if item.type == "text" else render(item.request_text, self._own),
            "links": view.media_links(item, self._own),
            "context": view.context_of(item, self._own),
            "extent": view.extent(item),
            "first_line": words.first_line(item.request_text),
            "form": form,
            "titles": {one.key: one.title for one in form.fields} if form is not None else {},
            "fields": _fields(item),
            "comment": typed.comment if typed is not None else "",
            "unsent": view.kept(typed, item) if typed is not None and not item.status.is_open else [],
            "default": view.default_words(item),
            "is_approval": item.kind is Kind.APPROVAL,
            "is_open": item.status.is_open,
            "outcome": view.outcome_words(item, visit.person.user_id),
            "answer": _answer(item),
            "closed_at": view.closed_at(item),
            "channel": words.where(item.response_channel),
            "history": _history(item, found["history"], visit),
            "mine": item.claimed_by == visit.person.user_id,
            "state": f"{item.revision}:{item.status.value}:{item.claimed_by or ''}",
            "news": _news(item, visit),
            "changed": view.differences(changed),
            "errors": errors or {},
            "notice": notice,
        }
        return page("request.html", status, page="request", visit=visit, request_id=request_id, **values)


def _id_of(request: Request) -> str:
    request_id = str(request.path_params["request_id"])
    if not is_id(request_id):
        raise NotFound("There is no such request")
    return request_id


def _answer(item: ReviewRequest) -> str | None:
    if item.status is Status.COMPLETED:
        return words.answer_words(view.config_of(item), item.response_data)
    return None


def _fields(item: ReviewRequest) -> list[tuple[str, str]]:
    config = view.config_of(item)
    if item.status is Status.COMPLETED and isinstance(config, FormConfig):
        return words.field_words(config, item.response_data)
    return []


def _closed_line(item: ReviewRequest, me: str) -> dict[str, Any]:
    return {
        "item": item,
        "first_line": words.first_line(item.request_text),
        "outcome": view.outcome_words(item, me),
        "answer": words.first_line(_answer(item) or "") if item.status is Status.COMPLETED else None,
        "at": view.closed_at(item),
        "channel": words.where(item.response_channel),
    }


def _changes_since(history: Sequence[dict[str, Any]], seen: int) -> list[dict[str, Any]]:
    return [entry["data"] for entry in history if entry["type"] == "changed" and entry["data"]["revision"] > seen]


def _history(item: ReviewRequest, history: Sequence[dict[str, Any]], visit: Visit) -> list[dict[str, Any]]:
    people = [item.response_by_user, item.claimed_by_user]
    names = {person.id: person.name for person in people if person is not None}
    lines = view.history_lines(item, history, names | {visit.person.user_id: "You"})
    return [line | {"at": moment(line["at"])} for line in lines]


def _news(item: ReviewRequest, visit: Visit) -> str:
    """What a page that was opened earlier says about this state."""
    if item.status is Status.COMPLETED:
        return f"{view.outcome_words(item, visit.person.user_id)}: {words.first_line(_answer(item) or '')}"
    if not item.status.is_open:
        return f"{view.outcome_words(item, visit.person.user_id)}. It can no longer be answered."
    if item.claimed_by_user is not None:
        return f"Claimed by {item.claimed_by_user.name}."
    return "This request changed. Read it again before you decide."
