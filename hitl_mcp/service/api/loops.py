"""Loops as an agent reads them (contract section 2.2), and the key check (2.1)."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hitl_mcp.contract import routes
from hitl_mcp.service import loops
from hitl_mcp.service.api.parameters import LoopId
from hitl_mcp.service.auth import AgentCaller, ServicesHere
from hitl_mcp.service.envelope import reply

router = APIRouter(tags=["loops"])


@router.get(routes.KEY_TEST)
async def test_key(agent: AgentCaller) -> Response:
    """Whether the key works, and whose it is."""
    data = {
        "api_key_id": agent.api_key_id,
        "user_id": agent.user_id,
        "account_status": "active",
        "permissions": ["loops:read", "requests:read", "requests:write"],
    }
    return reply("API key is valid", data)


@router.get(routes.LOOPS)
async def list_loops(agent: AgentCaller, services: ServicesHere) -> Response:
    """Every loop this key may ask in."""
    found = await services.store.read(loops.listed)
    return reply("Loops retrieved successfully", {"loops": found, "count": len(found)})


@router.get(routes.LOOP)
async def get_loop(loop_id: LoopId, agent: AgentCaller, services: ServicesHere) -> Response:
    """One loop."""
    return reply(
        "Loop retrieved successfully", {"loop": await services.store.read(lambda tx: loops.found(tx, loop_id))}
    )
