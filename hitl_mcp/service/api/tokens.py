"""Short-lived tokens for web pages (our addition): whoever holds the key, on a server, makes them."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hitl_mcp.contract import routes
from hitl_mcp.contract.tokens import NewToken
from hitl_mcp.service import tokens
from hitl_mcp.service.web.auth import AgentCaller, ServicesHere
from hitl_mcp.service.web.envelope import reply

router = APIRouter(tags=["tokens"])


@router.post(routes.TOKENS, status_code=201)
async def create_token(new: NewToken, agent: AgentCaller, services: ServicesHere) -> Response:
    """A token that works in place of the key for at most an hour, and ends with it. A token makes no token.

    It asks in the key's loops, or in those given, and reads or withdraws a request whose id it knows. It lists nothing.
    """
    made = await services.store.write(lambda tx: tokens.create(tx, agent, new))
    return reply("Token created", made, status=201)
