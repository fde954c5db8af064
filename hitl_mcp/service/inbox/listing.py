"""The list of what waits, and the history of what was closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.states import Status
from hitl_mcp.service import loops, members, rows
from hitl_mcp.service.actors import Person
from hitl_mcp.service.clock import moment
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox import narrowing, view, words
from hitl_mcp.service.inbox.comparing import Comparing, Pieces
from hitl_mcp.service.inbox.narrowing import Place
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import visit_of
from hitl_mcp.service.membership import joined_by
from hitl_mcp.service.search import closed, waiting
from hitl_mcp.service.search.waiting import Waiting
from hitl_mcp.service.store.base import Tx

RECENT = 10
"""Closed requests below the list; the history has the others."""


@dataclass(frozen=True, slots=True)
class Card:
    """One request on the list.

    Attributes:
        others: further ones on this page that differ from it only in details.
        alike: how many such there are in all, itself included; 1 when it is alone.
        differences: the first line against that of the card it stands under, word by word.
    """

    of: Waiting
    line: str
    is_overdue: bool
    alike: int = 1
    others: list[Card] = field(default_factory=list["Card"])
    differences: Pieces = field(default_factory=Pieces)


class Lists:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        return (Route("/", self.waiting), Route("/history", self.history))

    async def waiting(self, request: Request) -> Response:
        """What waits, what needs attention first on top."""
        visit = await visit_of(request, self._services)
        wanted, given = narrowing.waiting_filter(request.query_params)
        at, is_wall = narrowing.page_of(request.query_params), request.query_params.get("wall") == "1"

        def read(tx: Tx) -> dict[str, Any]:
            found = waiting.listed(tx, visit.person, wanted, at)
            total = waiting.count(tx, visit.person, waiting.Filter())
            matching = total if wanted.is_empty else waiting.count(tx, visit.person, wanted)
            alike = [one.similar for one in found if one.similar is not None]
            return {
                "found": found,
                "sizes": waiting.sizes(tx, visit.person, alike),
                "matching": matching,
                "open_count": total,
                "closed": rows.recently_closed(tx, visit.person, RECENT) if wanted.is_empty and at == 1 else [],
                "loops": _names(tx, visit.person),
                "newcomers": len(members.newcomers(tx, visit.person)),
                "member": bool(joined_by(tx, visit.person.user_id)),
                "now": moment(tx.now),
            }

        got = await self._services.store.scan(read)
        wall = {"wall": "1"} if is_wall else {}
        place = Place("/", given | wall, at, got["matching"])
        if at > place.last:
            return RedirectResponse(place.at(place.last), 303)
        got["cards"] = _grouped(got.pop("found"), got.pop("sizes"), got["now"])
        got["closed"] = [_closed_line(item, visit.person.user_id) for item in got["closed"]]
        choices = {"priorities": narrowing.priorities(), "kinds": narrowing.kinds(), "owners": narrowing.owners()}
        return page("list.html", page="list", visit=visit, place=place, given=given, wall=is_wall, **choices, **got)

    async def history(self, request: Request) -> Response:
        """Who decided what, when and through which channel; and what nobody decided."""
        visit = await visit_of(request, self._services)
        wanted, given = narrowing.closed_filter(request.query_params)
        at = narrowing.page_of(request.query_params)

        def read(tx: Tx) -> dict[str, Any]:
            return {
                "found": closed.listed(tx, visit.person, wanted, at),
                "matching": closed.count(tx, visit.person, wanted),
                "people": dict(closed.deciders(tx, visit.person)),
                "loops": _names(tx, visit.person),
                "open_count": rows.open_count_for(tx, visit.person),
                "now": moment(tx.now),
            }

        got = await self._services.store.scan(read)
        place = Place("/history", given, at, got["matching"])
        if at > place.last:
            return RedirectResponse(place.at(place.last), 303)
        got["lines"] = [_closed_line(item, visit.person.user_id) for item in got.pop("found")]
        outcomes = narrowing.outcomes()
        return page("history.html", page="history", visit=visit, place=place, given=given, outcomes=outcomes, **got)


def _names(tx: Tx, person: Person) -> dict[str, str]:
    return {loop.id: loop.name for loop in loops.listed(tx, person.user_id)}


def _grouped(found: Sequence[Waiting], sizes: dict[str, int], now: datetime) -> list[Card]:
    """A card for each request; those that differ only in details stand under the first of them."""
    cards: list[Card] = []
    heads: dict[str, Card] = {}
    comparing = Comparing()
    for one in found:
        line = words.first_line(one.item.request_text)
        head = heads.get(one.similar) if one.similar is not None else None
        if head is not None:
            head.others.append(Card(one, line, one.wanted_by <= now, differences=comparing.compared(head.line, line)))
            continue
        card = Card(one, line, one.wanted_by <= now, sizes.get(one.similar or "", 1))
        if one.similar is not None:
            heads[one.similar] = card
        cards.append(card)
    return cards


def _closed_line(item: ReviewRequest, me: str) -> dict[str, Any]:
    return {
        "item": item,
        "first_line": words.first_line(item.request_text),
        "outcome": view.outcome_words(item, me),
        "answer": words.first_line(view.answer_of(item) or "") if item.status is Status.COMPLETED else None,
        "at": view.closed_at(item),
        "channel": words.where(item.response_channel),
    }
