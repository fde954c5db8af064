"""Calls of a key within the hour (contract section 1.4). Unlimited unless the operator sets HITL_RATE_LIMIT.

Every API reply carries `X-RateLimit-Limit`, `-Remaining` and `-Reset` (Unix seconds of the next full hour). Without a
limit the first two are both 1000000, so that clients that compute with them go on working.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hitl_mcp.errors import TooManyRequests
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.clock import moment
from hitl_mcp.service.context import Services
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import api_keys, rate_usage

HOUR_MS = 3_600_000
UNLIMITED = 1_000_000

_mine = rate_usage.c.api_key_id == bindparam("agent_key"), rate_usage.c.hour == bindparam("this_hour")
_count = update(rate_usage).where(*_mine).values(used=rate_usage.c.used + 1).returning(rate_usage.c.used)
_give_back = update(rate_usage).where(*_mine, rate_usage.c.used > 0).values(used=rate_usage.c.used - 1)
_used = select(rate_usage.c.used).where(*_mine)
_first = insert(rate_usage)
_owner = select(api_keys.c.id).where(api_keys.c.id == bindparam("agent_key")).with_for_update()
_forget = delete(rate_usage).where(
    rate_usage.c.api_key_id == bindparam("agent_key"), rate_usage.c.hour < bindparam("this_hour")
)


def _counted(tx: Tx, api_key_id: str) -> int:
    """This call's place within the hour."""
    values = {"agent_key": api_key_id, "this_hour": tx.now // HOUR_MS}
    used = tx.connection.execute(_count, values).scalar()
    if used is None:
        tx.connection.execute(_owner, {"agent_key": api_key_id})  # so that two first calls do not both insert
        used = tx.connection.execute(_count, values).scalar()
    if used is None:
        tx.connection.execute(_forget, values)
        row = {"api_key_id": api_key_id, "hour": values["this_hour"], "used": 1}
        tx.connection.execute(_first, row)
        return 1
    return int(used)


async def count_call(request: Request, services: Services, agent: Agent) -> None:
    """Count one call of a key. Raises: TooManyRequests when the hour's calls are used up."""
    limit = services.rate_limit
    if limit is None:
        return
    used = await services.store.write(lambda tx: _counted(tx, agent.api_key_id))
    left = max(0, limit - used)
    request.scope["hitl.rate"] = (limit, left)
    if used > limit:
        reset = _reset(services)
        raise TooManyRequests(
            f"Rate limit exceeded. Maximum {limit} requests per hour per API key.",
            {
                "usage_count": limit,
                "usage_limit": limit,
                "remaining": 0,
                "reset_at": moment(reset * 1000).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "retry_after": reset - services.clock() // 1000,
            },
        )


async def give_back(request: Request, services: Services, agent: Agent) -> None:
    """Return the call that asked a question which was withdrawn before anybody took it (contract section 1.4)."""
    limit = services.rate_limit
    if limit is None:
        return
    values = {"agent_key": agent.api_key_id, "this_hour": services.clock() // HOUR_MS}
    await services.store.write(lambda tx: tx.connection.execute(_give_back, values).rowcount)
    _, left = request.scope["hitl.rate"]
    request.scope["hitl.rate"] = (limit, min(limit, left + 1))


async def rate_of(services: Services, agent: Agent) -> dict[str, Any]:
    """What the key check says about the hour's calls."""
    limit = services.rate_limit
    used = 0
    if limit is not None:
        values = {"agent_key": agent.api_key_id, "this_hour": services.clock() // HOUR_MS}
        used = await services.store.read(lambda tx: tx.connection.execute(_used, values).scalar() or 0)
    full = limit or UNLIMITED
    reset = moment(_reset(services) * 1000)
    return {"limit": full, "remaining": max(0, full - used), "reset_at": reset, "unlimited": limit is None}


def _reset(services: Services) -> int:
    return (services.clock() // HOUR_MS + 1) * HOUR_MS // 1000


class RateHeaders:
    """Puts the three headers on every reply of the API."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                full = self._services.rate_limit or UNLIMITED
                limit, left = scope.get("hitl.rate", (full, full))
                values: dict[str, Any] = {"Limit": limit, "Remaining": left, "Reset": _reset(self._services)}
                lines = [(f"x-ratelimit-{k.lower()}".encode(), str(v).encode()) for k, v in values.items()]
                message["headers"] = [*message.get("headers", ()), *lines]
            await send(message)

        await self._app(scope, receive, with_headers)
