"""One question from the call that asks it to its result: in rounds, and in the client's own dialog, where it can be."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, InputRequiredResult

from hitl_mcp.contract.models import NewRequest, ReviewRequest
from hitl_mcp.tools import rounds
from hitl_mcp.tools.desk import Asked, Desk, client_name
from hitl_mcp.tools.dialog import Passed, dialog_for, given_in, pass_on, race
from hitl_mcp.tools.results import waits_for_a_person

Ctx = Context[Any, Any]
Result = CallToolResult | InputRequiredResult


async def ask(desk: Desk, ctx: Ctx, tool: str, loop: str | None, new: NewRequest, seconds: float) -> Result:
    """Create the request, show it in the client's dialog, hold the call, and return where it stands.

    A later round of the call goes on with the request that its first one made, and creates none.
    """
    since = desk.client.mark()
    if (state := rounds.state_of(ctx)) is not None:
        return await _go_on(desk, ctx, state, since)
    chosen = await desk.loop_for(loop)
    created, asked = await desk.create(ctx, tool, chosen.id, new)
    request, dialog = created.request, None
    if seconds > 0 and not desk.draining and not desk.silence.keeps(client_name(ctx)):
        dialog = dialog_for(ctx, chosen.name, created, await desk.client.backend())
    del new, created  # a call may wait for an hour with a thousand others
    if dialog is None:
        return await _wait(desk, ctx, Passed(request), _state(request, seconds, asked), since)
    if rounds.is_modern(ctx):
        state = _state(request, seconds, asked, dialog.shown)
        desk.silence.asked(client_name(ctx), state.until)
        return state.handed_out(dialog.request)
    hold = partial(desk.hold, ctx, request, seconds, since)
    passed = await race(ctx, desk.client, dialog, request, hold)
    return await desk.result(ctx, passed.request, asked, passed.note)


async def check(desk: Desk, ctx: Ctx, request: ReviewRequest, seconds: float, since: int | None) -> Result:
    """Hold the call for a request that was made earlier.

    Args:
        since: the client's `mark` from before the request was read.
    """
    state = rounds.state_of(ctx) or _state(request, seconds, Asked())
    return await _wait(desk, ctx, Passed(request), state, since)


async def _go_on(desk: Desk, ctx: Ctx, state: rounds.State, since: int | None) -> Result:
    if ctx.input_responses:
        desk.silence.broken(client_name(ctx))
    passed = Passed(await desk.known(state.request_id), state.note)
    if state.shown is not None:
        passed = await pass_on(desk.client, passed.request, given_in(ctx), state.shown)
    return await _wait(desk, ctx, passed, state, since)


async def _wait(desk: Desk, ctx: Ctx, passed: Passed, state: rounds.State, since: int | None) -> Result:
    """One round, or the whole wait where the client makes no others."""
    left = max(state.until - time.time(), 0)
    in_rounds = rounds.can_go_on(ctx)
    seconds = min(left, desk.round_seconds) if in_rounds else left
    request = await desk.hold(ctx, passed.request, seconds, since)
    goes_on = in_rounds and left > seconds and state.rounds + 1 < rounds.MAX_ROUNDS
    if goes_on and waits_for_a_person(request) and not desk.draining:
        return state.next(passed.note).handed_out()
    asked = Asked(state.joined, state.repeat, state.open_ahead)
    return await desk.result(ctx, request, asked, passed.note)


def _state(request: ReviewRequest, seconds: float, asked: Asked, shown: int | None = None) -> rounds.State:
    until = time.time() + seconds
    return rounds.State(request_id=request.id, until=until, shown=shown, **asked._asdict())
