"""Requests that differ only in details, decided in one gesture: a decision of its own for each that is ticked."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.models import NewAnswer, ReviewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.errors import AnswerRejected, BadRequest, HITLError, NotFound, Refused
from hitl_mcp.service import loops, rows
from hitl_mcp.service.actors import Person
from hitl_mcp.service.clock import moment
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox import view, words
from hitl_mcp.service.inbox.comparing import Comparing, Pieces
from hitl_mcp.service.inbox.context import context_of
from hitl_mcp.service.inbox.controls import answer_form
from hitl_mcp.service.inbox.forms import Typed, faults, new_answer, read_typed, text_of
from hitl_mcp.service.inbox.markdown import render
from hitl_mcp.service.inbox.one import PAGES_AT_ONCE, own_address
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import Visit, posted, visit_of
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.lifecycle.many import MOST, Recorded
from hitl_mcp.service.membership import answers_in
from hitl_mcp.service.search import waiting
from hitl_mcp.service.search.waiting import Waiting
from hitl_mcp.service.store.base import Tx

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Like:
    """One of the requests beside the first of them.

    Attributes:
        text: its question against the first one's, word by word.
        context: its context against the first one's; nothing where they are the same.
        has_more: it has images, files or an exchange with its agent to look at, which this page does not show.
        is_taken: somebody else has claimed it.
        is_ticked: it is decided with the others.
    """

    item: ReviewRequest
    text: Pieces
    context: Pieces
    has_more: bool
    is_taken: bool
    is_ticked: bool


class Similar:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._own = own_address(services.keys)
        self._aside = anyio.CapacityLimiter(PAGES_AT_ONCE)

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        one = "/similar/{digest}"
        return (
            Route(one, self.all),
            Route(f"{one}/decision", self.decide, methods=["POST"]),
            Route(one + "/{action:str}", self.back),
        )

    async def all(self, request: Request) -> Response:
        """All of them that wait, with their differences marked."""
        visit = await visit_of(request, self._services)
        return await self._shown(_digest_of(request), visit)

    async def back(self, request: Request) -> Response:
        """A reload of the address that the form posts to leads to the page."""
        return RedirectResponse(f"/similar/{_digest_of(request)}", 303)

    async def decide(self, request: Request) -> Response:
        """One answer to each that is ticked; says of each what was recorded, or why not."""
        visit, form = await posted(request, self._services)
        digest, typed, ticked = _digest_of(request), read_typed(form), _ticked(form)
        if not ticked:
            nothing = _("Nothing is ticked, so nothing was sent.")
            return await self._shown(digest, visit, typed, ticked, status=422, notice=nothing)
        found = await self._services.store.scan(lambda tx: _those(tx, visit.person, list(ticked)))
        try:
            answers = [(one.id, _answer(typed, one, ticked[one.id])) for one in found]
        except AnswerRejected as fault:
            return await self._shown(digest, visit, typed, ticked, status=422, errors={fault.field: fault.reason})
        recorded = await self._services.lifecycle.decide_many(visit.person, answers)
        unfit = [one.fault for one in recorded if isinstance(one.fault, BadRequest)]
        if unfit and len(unfit) == len(recorded):
            errors = faults(typed, found[0], unfit[0].details)
            return await self._shown(digest, visit, typed, ticked, status=422, errors=errors)
        return await self._result(visit, typed, found, recorded)

    async def _result(
        self, visit: Visit, typed: Typed, found: Sequence[ReviewRequest], recorded: Sequence[Recorded]
    ) -> Response:
        items = {one.id: one for one in found}
        lines = [
            {
                "item": items[one.request_id],
                "line": words.first_line(items[one.request_id].request_text),
                "fault": None if one.fault is None else f"{_said(one.fault)}.",
                "held": one.decided is not None and one.decided.held_until is not None,
            }
            for one in recorded
        ]
        kept = [line for line in lines if line["fault"] is not None]
        typed_words = view.kept(typed, found[0]) if kept else []
        status = 409 if kept else 200
        return page("similar_sent.html", status, page="similar", visit=visit, lines=lines, kept=kept, typed=typed_words)

    async def _shown(
        self,
        digest: str,
        visit: Visit,
        typed: Typed | None = None,
        ticked: dict[str, int] | None = None,
        *,
        status: int = 200,
        errors: dict[str, str] | None = None,
        notice: str | None = None,
    ) -> Response:
        def read(tx: Tx) -> dict[str, Any]:
            found = waiting.alike(tx, visit.person, digest, MOST)
            return {
                "found": found,
                "total": waiting.sizes(tx, visit.person, [digest]).get(digest, 0),
                "loop": loops.named(tx, found[0].item.loop_id) if found else "",
                "may_answer": bool(found) and answers_in(tx, found[0].item.loop_id, visit.person.user_id),
                "now": moment(tx.now),
            }

        got = await self._services.store.scan(read)
        put = partial(self._put_together, got, digest, visit, typed, ticked, status, errors, notice)
        return await anyio.to_thread.run_sync(put, limiter=self._aside)

    def _put_together(
        self,
        got: dict[str, Any],
        digest: str,
        visit: Visit,
        typed: Typed | None,
        ticked: dict[str, int] | None,
        status: int,
        errors: dict[str, str] | None,
        notice: str | None,
    ) -> Response:
        found: list[Waiting] = got.pop("found")
        if not found:
            raise NotFound(_("Nothing like this waits any more"))
        first = found[0].item
        form, comparing = answer_form(first, typed, self._own), Comparing()
        values = got | {
            "digest": digest,
            "first": first,
            "text": None if first.type == "text" else render(first.request_text, self._own),
            "context": context_of(first, self._own),
            "likes": [_like(one.item, first, visit.person, ticked, comparing) for one in found],
            "form": form,
            "titles": {one.key: one.title for one in form.fields},
            "comment": typed.comment if typed is not None else "",
            "is_approval": first.kind is Kind.APPROVAL,
            "errors": errors or {},
            "notice": notice,
        }
        return page("similar.html", status, page="similar", visit=visit, **values)


def _said(fault: HITLError) -> str:
    return fault.message if isinstance(fault, Refused) else str(fault)


def _digest_of(request: Request) -> str:
    digest = str(request.path_params["digest"])
    if _DIGEST.fullmatch(digest) is None:
        raise NotFound("There is nothing at this address")
    return digest


def _ticked(form: FormData) -> dict[str, int]:
    """The requests that are to be decided, and the revision of each that was on the page (H4)."""
    found: dict[str, int] = {}
    for request_id in form.getlist("item")[:MOST]:
        if isinstance(request_id, str) and is_id(request_id):
            revision = text_of(form, f"revision-{request_id}")
            found[request_id] = int(revision) if re.fullmatch(r"[1-9][0-9]{0,8}", revision) else 0
    return found


def _those(tx: Tx, person: Person, ids: Sequence[str]) -> list[ReviewRequest]:
    return [rows.find_for(tx, person, request_id) for request_id in ids]


def _answer(typed: Typed, item: ReviewRequest, revision: int) -> NewAnswer:
    return new_answer(replace(typed, revision=revision), item)


def _like(
    item: ReviewRequest, first: ReviewRequest, person: Person, ticked: dict[str, int] | None, comparing: Comparing
) -> Like:
    contexts = _json(first.context), _json(item.context)
    taken = item.claimed_by is not None and item.claimed_by != person.user_id
    more = bool(item.images or item.media or item.reviewer_question)
    return Like(
        item=item,
        text=comparing.compared(first.request_text, item.request_text),
        context=[] if contexts[0] == contexts[1] else comparing.compared(*contexts),
        has_more=more,
        is_taken=taken,
        is_ticked=(not taken and not more) if ticked is None else item.id in ticked,
    )


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)
