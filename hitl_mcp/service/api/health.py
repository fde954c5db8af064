"""For load balancers and orchestrators: whether the process lives, and whether it can do its work."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hitl_mcp import __version__
from hitl_mcp.contract import routes
from hitl_mcp.errors import HITLError, ServiceFault
from hitl_mcp.service import rows
from hitl_mcp.service.web.auth import ServicesHere
from hitl_mcp.service.web.envelope import reply

router = APIRouter(tags=["operating"])


@router.get(routes.HEALTH)
async def health() -> Response:
    """The process lives. Says nothing of the database."""
    return reply("alive", {"version": __version__})


@router.get(routes.READY)
async def ready(services: ServicesHere) -> Response:
    """The database answers and the process is not ending; else 503, so that no new call is sent here."""
    if services.stopping.is_set():
        raise ServiceFault("The service is ending", {"retry_after": 1})
    try:
        await services.store.read(lambda tx: rows.some_open(tx, 1))
    except HITLError as error:
        raise ServiceFault("The database does not answer", {"retry_after": 5}) from error
    return reply("ready", {"version": __version__})
