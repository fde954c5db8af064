"""Many requests answered in one gesture, with a decision of its own for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio

from hitl_mcp.contract.models import NewAnswer
from hitl_mcp.errors import BadRequest, HITLError
from hitl_mcp.service.lifecycle.deciding import Decided

MOST = 100
AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one of the answers: recorded, or why not."""

    request_id: str
    decided: Decided | None = None
    fault: HITLError | None = None


async def decide(
    one: Callable[[str, NewAnswer], Awaitable[Decided]], answers: Sequence[tuple[str, NewAnswer]]
) -> list[Recorded]:
    """Record each by itself, so that one that comes too late holds up none; what became of them, in their order.

    Args:
        one: records an answer.

    Raises: BadRequest for more than 100.
    """
    if len(answers) > MOST:
        raise BadRequest("Too many at once", f"at most {MOST} requests can be answered together")
    outcomes: dict[int, Recorded] = {}
    turns = anyio.CapacityLimiter(AT_ONCE)

    async def record(place: int, request_id: str, answer: NewAnswer) -> None:
        async with turns:
            try:
                outcomes[place] = Recorded(request_id, decided=await one(request_id, answer))
            except HITLError as fault:
                outcomes[place] = Recorded(request_id, fault=fault)

    async with anyio.create_task_group() as tasks:
        for place, (request_id, answer) in enumerate(answers):
            tasks.start_soon(record, place, request_id, answer)
    return [outcomes[place] for place in range(len(answers))]
