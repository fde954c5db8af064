"""What monitoring reads: Prometheus metrics of the whole service, and a team's figures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hitl_mcp.contract import routes
from hitl_mcp.errors import NotAllowed, NotFound
from hitl_mcp.service.membership import joined_by
from hitl_mcp.service.operating.figures import figures
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.web.auth import MetricsReader, RequestReader, ServicesHere
from hitl_mcp.service.web.envelope import reply

router = APIRouter(tags=["operating"])


@router.get(routes.METRICS)
async def read_metrics(request: Request, agent: MetricsReader, services: ServicesHere) -> Response:
    """Prometheus metrics. They are of all loops, so a key that is limited to some may not read them."""
    if agent.loop_ids is not None:
        raise NotAllowed("This API key is limited to loops, and the metrics are of all of them. Make one that is not")
    presence = services.presence
    content_type, body = await services.metrics.exposed(
        request.headers.get("accept", ""), agents=presence.agents, pages=presence.pages
    )
    return Response(body, media_type=content_type)


@router.get(routes.FIGURES)
async def read_figures(
    agent: RequestReader,
    services: ServicesHere,
    days: Annotated[int, Query(ge=1, le=90, description="How many days, today among them")] = 30,
    loop_id: Annotated[
        str | None, Query(pattern=r"^[0-9a-fA-F]{24}$", description="One loop; else all of the key's person")
    ] = None,
) -> Response:
    """A team's figures, over the loops of the key's person that the key reaches."""
    wanted = None if loop_id is None else loop_id.lower()

    def read(tx: Tx) -> object:
        ours = {known for known in joined_by(tx, agent.user_id) if agent.reaches(known)}
        if wanted is not None and wanted not in ours:
            raise NotFound("Loop not found")
        return figures(tx, ours if wanted is None else {wanted}, days).model_dump(mode="json")

    return reply("Figures", {"figures": await services.store.scan(read)})
