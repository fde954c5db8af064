"""Where first-generation callers look for the answer. Creating shares its path with the current generation."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hitl_mcp.contract import routes
from hitl_mcp.contract.first_generation import first_answer
from hitl_mcp.service import rows
from hitl_mcp.service.api.parameters import RequestId
from hitl_mcp.service.api.requests import shown
from hitl_mcp.service.web.auth import PageReader, ServicesHere
from hitl_mcp.service.web.envelope import reply

router = APIRouter(tags=["first generation"])


@router.get(routes.REQUEST_RESPONSE)
@router.get(routes.REQUEST_STATUS)
async def first_generation_answer(request_id: RequestId, agent: PageReader, services: ServicesHere) -> Response:
    """`status` and `decision` at the top level. Expired and cancelled requests are completed and rejected."""
    request = await services.store.read(lambda tx: rows.find_readable(tx, agent, request_id))
    beside = first_answer(request).model_dump()
    return reply("Request retrieved successfully", {"request": shown(request)}, beside=beside)
