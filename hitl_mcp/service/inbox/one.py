"""The page of one request, read and put together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from starlette.datastructures import FormData
from starlette.responses import Response

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.states import Kind, Status
from hitl_mcp.service import keys, loops, rows
from hitl_mcp.service.clock import maybe_moment, moment
from hitl_mcp.service.context import Keys, Services
from hitl_mcp.service.inbox import view, words
from hitl_mcp.service.inbox.comparing import Comparing
from hitl_mcp.service.inbox.context import context_of, is_marked
from hitl_mcp.service.inbox.controls import answer_form
from hitl_mcp.service.inbox.forms import Typed, text_of
from hitl_mcp.service.inbox.markdown import OwnAddress, render
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import Visit
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.lifecycle import holding
from hitl_mcp.service.lifecycle.holding import Held
from hitl_mcp.service.lifecycle.record import REVISING
from hitl_mcp.service.membership import answers_in
from hitl_mcp.service.search import waiting
from hitl_mcp.service.search.people import answerers, guidelines_of, names_of
from hitl_mcp.service.store.base import Tx

PAGES_AT_ONCE = 4
"""Pages that are put together beside the event loop: what an agent says may be long, and nobody waits for that."""
OTHER = ("whom", "note", "question", "reason")
"""Fields beside the answer, for what is done before one."""


def own_address(known: Keys) -> OwnAddress:
    """Where the inbox answers, as host and port."""
    parts = urlsplit(known.inbox_origin)
    return OwnAddress(parts.hostname or "", parts.port or (443 if known.is_secure else 80))


class RequestPage:
    """Shows one request as it is now.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._own = own_address(services.keys)
        self._aside = anyio.CapacityLimiter(PAGES_AT_ONCE)

    async def shown(
        self,
        request_id: str,
        visit: Visit,
        typed: Typed | None = None,
        *,
        status: int = 200,
        errors: dict[str, str] | None = None,
        notice: str | None = None,
        also: FormData | None = None,
    ) -> Response:
        """The page.

        Args:
            typed: what came with a form, kept on the page.
            errors: why it was not taken, by the key of each control.
            notice: what the person has to know first.
            also: a form whose question to the agent, or note to a colleague, was not sent either.

        Raises: NotFound when it is of no loop that this person belongs to.
        """
        found = await self._services.store.scan(lambda tx: self._read(tx, visit, request_id))
        put = partial(self._put_together, found, visit, typed, status, errors, notice, also)
        return await anyio.to_thread.run_sync(put, limiter=self._aside)

    def _put_together(
        self,
        found: dict[str, Any],
        visit: Visit,
        typed: Typed | None,
        status: int,
        errors: dict[str, str] | None,
        notice: str | None,
        also: FormData | None,
    ) -> Response:
        item: ReviewRequest = found["item"]
        changed = _changes_since(found["history"], typed.revision) if typed is not None and typed.revision else []
        if changed and notice is None and item.status.is_open:
            notice = _("The request was changed after you opened it. Read it again before you decide.")
        held: Held | None = found["held"]
        comparing = Comparing()
        form = answer_form(item, typed, self._own) if item.status.is_open and held is None else None
        values = found | {
            "text": None if item.type == "text" else render(item.request_text, self._own),
            "links": view.media_links(item, self._own),
            "context": context_of(item, self._own),
            "marked": is_marked(item),
            "guidelines": render(found["guidelines"], self._own) if found["guidelines"] else None,
            "extent": view.extent(item),
            "first_line": words.first_line(item.request_text),
            "form": form,
            "titles": {one.key: one.title for one in form.fields} if form is not None else {},
            "fields": view.fields_of(item),
            "comment": typed.comment if typed is not None else "",
            "unsent": view.kept(typed, item) if typed is not None and not item.status.is_open else [],
            "default": view.default_words(item),
            "is_approval": item.kind is Kind.APPROVAL,
            "is_open": item.status.is_open,
            "outcome": view.outcome_words(item, visit.person.user_id),
            "answer": view.answer_of(item),
            "closed_at": view.closed_at(item),
            "channel": words.where(item.response_channel),
            "history": _history(item, found["history"], found["names"], visit, comparing),
            "mine": item.claimed_by == visit.person.user_id,
            "held": None if held is None else view.held_words(item, held),
            "state": f"{item.revision}:{item.status.value}:{item.claimed_by or ''}:{held is not None}",
            "news": _news(item, visit),
            "changed": view.differences(changed, comparing),
            "errors": errors or {},
            "other": {name: text_of(also, name) if also is not None else "" for name in OTHER},
            "notice": notice,
        }
        return page("request.html", status, page="request", visit=visit, request_id=item.id, **values)

    def _read(self, tx: Tx, visit: Visit, request_id: str) -> dict[str, Any]:
        row = rows.columns_for(tx, visit.person, request_id)
        item = rows.view(row, tx.now)
        upcoming = waiting.listed(tx, visit.person, waiting.Filter(), most=2)
        history = rows.history(tx, request_id)
        return {
            "item": item,
            "history": history,
            "names": names_of(tx, view.people_in(history)),
            "held": holding.held_by(tx, visit.person, request_id),
            "guidelines": guidelines_of(tx, item.loop_id),
            "answerers": answerers(tx, item.loop_id),
            "alike": waiting.sizes(tx, visit.person, [row["similar"]]).get(row["similar"], 1) if row["similar"] else 1,
            "similar": row["similar"],
            "loop": loops.named(tx, item.loop_id),
            "key": keys.named(tx, item.api_key_id) if self._services.keys.is_team else None,
            "may_answer": answers_in(tx, item.loop_id, visit.person.user_id),
            "claim_until": maybe_moment(row["claim_expires_at"]) if item.claimed_by else None,
            "open_count": rows.open_count_for(tx, visit.person),
            "next": next((other.item for other in upcoming if other.item.id != request_id), None),
            "now": moment(tx.now),
        }


def _changes_since(history: Sequence[dict[str, Any]], seen: int) -> list[dict[str, Any]]:
    return [entry["data"] for entry in history if entry["type"] in REVISING and entry["data"].get("revision", 0) > seen]


def _history(
    item: ReviewRequest, history: Sequence[dict[str, Any]], names: dict[str, str], visit: Visit, comparing: Comparing
) -> list[dict[str, Any]]:
    lines = view.history_lines(item, history, names | {visit.person.user_id: _("You")}, comparing)
    return [line | {"at": moment(line["at"])} for line in lines]


def _news(item: ReviewRequest, visit: Visit) -> str:
    """What a page that was opened earlier says about this state."""
    outcome = view.outcome_words(item, visit.person.user_id)
    if item.status is Status.COMPLETED:
        return f"{outcome}: {words.first_line(view.answer_of(item) or '')}"
    if not item.status.is_open:
        return _("{outcome}. It can no longer be answered.").format(outcome=outcome)
    if item.claimed_by_user is not None:
        return _("Claimed by {name}.").format(name=item.claimed_by_user.name)
    return _("This request changed. Read it again before you decide.")
