"""Completions of loops and requests, in the arguments of prompts and resource addresses."""

from __future__ import annotations

from collections.abc import Iterable

from mcp.server import ServerRequestContext
from mcp.types import CompleteRequestParams, CompleteResult, Completion

from hitl_mcp.contract.models import RequestFilter
from hitl_mcp.errors import HITLError
from hitl_mcp.tools.desk import Desk, Reception
from hitl_mcp.tools.prompts import LOOP, REQUEST_ID

MAX_VALUES = 100
"""The protocol allows no more."""


async def complete(ctx: ServerRequestContext[Reception], params: CompleteRequestParams) -> CompleteResult:
    """What the argument may be, of what begins like it; nothing when the backend does not answer."""
    name, begun = params.argument.name, params.argument.value.strip().casefold()
    with ctx.lifespan_context.desk() as desk:
        try:
            known = await _known(desk, name)
        except HITLError:  # a convenience: the call itself says what is wrong
            known = list[str]()
    fitting = [value for value in dict.fromkeys(known) if value.casefold().startswith(begun)]
    shown = fitting[:MAX_VALUES]
    return CompleteResult(completion=Completion(values=shown, total=len(fitting), has_more=len(fitting) > len(shown)))


async def _known(desk: Desk, argument: str) -> Iterable[str]:
    if argument == REQUEST_ID:
        listed = await desk.client.list_requests(RequestFilter(limit=100))
        return [request.id for request in listed if desk.may_see(request)]
    if argument in (LOOP, "loop_id"):
        loops = await desk.client.list_loops()
        names = [loop.name for loop in loops] if argument == LOOP else []
        return [*names, *(loop.id for loop in loops)]
    return []
