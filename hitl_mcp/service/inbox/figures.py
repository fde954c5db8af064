"""The team's figures: a page with plots, and the same as JSON. Only loops that the person belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hitl_mcp.contract.figures import Figures, Share
from hitl_mcp.errors import NotFound
from hitl_mcp.service import loops
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox import plots
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import Visit, visit_of
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.inbox.words import span
from hitl_mcp.service.membership import joined_by
from hitl_mcp.service.operating.figures import figures
from hitl_mcp.service.store.base import Tx

RANGES = (7, 30, 90)
USUAL = 30


class FiguresPage:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        return (Route("/figures", self.shown), Route("/figures.json", self.as_json))

    async def shown(self, request: Request) -> Response:
        """The page."""
        visit, found = await self._found(request)
        counted: Figures = found["figures"]
        waiting = sum(one.count for one in counted.waiting)
        closed, timeouts = counted.total("closed"), counted.total("timeout")
        tiles = [
            (_("Asked"), f"{counted.total('created'):,}"),
            (_("Decided by people"), f"{counted.total('decided'):,}"),
            (_("Half decided within"), "–" if counted.median_seconds is None else span(int(counted.median_seconds))),
            (_("95 % decided within"), "–" if counted.p95_seconds is None else span(int(counted.p95_seconds))),
            (_("Waiting now"), f"{waiting:,}"),
            (_("Timed out"), f"{timeouts:,}\u00a0({_percent(timeouts, closed)})"),
            (_("Escalations"), f"{counted.escalations:,}"),
            (_("Deliveries given up"), f"{counted.failed_deliveries:,}"),
        ]
        return page(
            "figures.html", page="figures", visit=visit, tiles=tiles, ranges=RANGES,
            empty=not (counted.total("created") or closed or waiting),
            volume=plots.volume(counted.per_day), times=plots.response_times(counted.per_day),
            outcomes=plots.legend(), ages=_ages(counted), by_loop=_shares(counted.by_loop),
            by_reviewer=_shares(counted.by_reviewer), span=span, **found,
        )  # fmt: skip

    async def as_json(self, request: Request) -> Response:
        """The same as JSON."""
        _visit, found = await self._found(request)
        counted: Figures = found["figures"]
        return JSONResponse({"loop_id": found["loop_id"], "figures": counted.model_dump(mode="json")})

    async def _found(self, request: Request) -> tuple[Visit, dict[str, Any]]:
        """Whoever asks, and what they asked for. Raises: NotAuthorised, NotFound for another's loop."""
        visit = await visit_of(request, self._services)
        given = request.query_params
        days = next((days for days in RANGES if given.get("days") == str(days)), USUAL)
        loop_id = given.get("loop") or None

        def read(tx: Tx) -> dict[str, Any]:
            ours = joined_by(tx, visit.person.user_id)
            if loop_id is not None and loop_id not in ours:
                raise NotFound("Loop not found")
            names = [(loop.id, loop.name) for loop in loops.listed(tx, visit.person.user_id) if loop.id in ours]
            counted = figures(tx, ours if loop_id is None else {loop_id}, days)
            return {"loops": names, "loop_id": loop_id, "days": days, "figures": counted}

        return visit, await self._services.store.scan(read)


def _percent(part: int, whole: int) -> str:
    return f"{round(100 * part / whole)}\u00a0%" if whole else "0\u00a0%"


def _ages(counted: Figures) -> list[tuple[str, int, float]]:
    """How long what waits has waited: in words, how many, and the width of its bar."""
    most = max((one.count for one in counted.waiting), default=0) or 1
    return [
        (
            _("longer") if one.up_to_seconds is None
            else _("up to {span}").format(span=_(plots.SPANS[one.up_to_seconds])),
            one.count,
            round(100 * one.count / most, 1),
        )
        for one in counted.waiting
    ]  # fmt: skip


def _shares(shares: Sequence[Share]) -> list[tuple[Share, str, float]]:
    """Each with its part of all of them, and the width of its bar."""
    whole, most = sum(share.closed for share in shares), max((share.closed for share in shares), default=0) or 1
    return [(share, _percent(share.closed, whole), round(100 * share.closed / most, 1)) for share in shares]
