"""The local service ends by itself when nobody has needed it for a while (D13)."""

from __future__ import annotations

import anyio

from hitl_mcp.errors import ServiceFault
from hitl_mcp.service import rows
from hitl_mcp.service.context import Services
from hitl_mcp.service.outbox import taking

CHECKS_PER_PERIOD = 30


async def end_when_idle(services: Services, seconds: float) -> None:
    """Stop the service after `seconds` without an agent, an open page, an open request or something to send.

    A delivery that is tried again later than `seconds` from now waits for the next start: a dead receiver must not keep
    a machine's service up.
    """
    unused = 0
    while unused < CHECKS_PER_PERIOD:
        await anyio.sleep(seconds / CHECKS_PER_PERIOD)
        unused = 0 if await _needed(services, seconds) else unused + 1
    services.stop()


async def _needed(services: Services, seconds: float) -> bool:
    if services.presence.agents or services.presence.pages:
        return True
    try:
        if await services.store.read(rows.open_count) > 0:
            return True
        return await services.store.read(lambda tx: taking.any_due(tx, tx.now + int(1000 * seconds)))
    except ServiceFault:  # a sick disk is no reason to leave
        return True
