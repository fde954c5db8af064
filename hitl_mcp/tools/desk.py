"""What the tools share: the client, which loop is meant, the same question once, and holding a call open."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

import anyio.abc
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, RequestId

from hitl_mcp.contract.models import Created, Loop, NewRequest, ReviewRequest
from hitl_mcp.contract.text import digest
from hitl_mcp.errors import HITLError
from hitl_mcp.sdk.aio import AsyncHITLClient
from hitl_mcp.tools.deliveries import Deliveries
from hitl_mcp.tools.results import review_result

BEAT_SECONDS = 8.0
"""Progress goes out this often: inside the 5 to 10 s that keeps patient hosts awake."""

Opener = Callable[[anyio.abc.TaskGroup], AsyncHITLClient]


class Desk:
    """Opened with the server, without side effects: the backend is found or started at the first tool call (D13).

    Args:
        open_client: makes the client of the configured backend.
        tasks: runs the client and, where needed, the service itself; ends with the server.
        loop: the loop that questions go to when the agent names none.
    """

    def __init__(
        self, open_client: Opener, tasks: anyio.abc.TaskGroup, loop: str | None, deliveries: Deliveries
    ) -> None:
        self._open = open_client
        self._tasks = tasks
        self._loop = loop
        self._client: AsyncHITLClient | None = None
        self._process = secrets.token_hex(16)
        self._deliveries = deliveries

    @property
    def client(self) -> AsyncHITLClient:
        """The backend's client. Raises: NotConfigured."""
        if self._client is None:
            self._client = self._open(self._tasks)
            self._tasks.start_soon(self._client.run)
        return self._client

    async def aclose(self) -> None:
        """Close the client's connections."""
        if self._client is not None:
            await self._client.aclose()

    async def deliver(self, request_id: str) -> None:
        """Record that the agent has this request's result."""
        await self.client.deliver_request(request_id)

    def introduce(self, ctx: Context[Any]) -> None:
        """Tell the backend which client asks, in its own words."""
        params = ctx.session.client_params
        if params is not None:
            info = params.client_info
            self.client.client_name = " ".join(f"{info.title or info.name} {info.version}".split())

    async def loop_for(self, wanted: str | None) -> Loop:
        """The loop meant: by id or name, by setting, or the only one (D22). Raises: ToolError that lists them."""
        loops = await self.client.list_loops()
        name = wanted or self._loop
        if name is None and len(loops) == 1:
            return loops[0]
        listed = ", ".join(f"{loop.name!r} ({loop.id})" for loop in loops) or "none"
        if name is None:
            raise ToolError(f"Say which loop the question goes to, as loop. There are: {listed}")
        exact = [loop for loop in loops if loop.id == name] or [loop for loop in loops if loop.name == name]
        found = exact or [loop for loop in loops if loop.name.casefold() == name.strip().casefold()]
        if len(found) != 1:
            source = "loop" if wanted else "the setting HITL_LOOP"
            raise ToolError(
                f"{source} {name!r} names {len(found) or 'no'} loop{'s' if found else ''}. There are: {listed}"
            )
        return found[0]

    async def ask(
        self, ctx: Context[Any], tool: str, loop: str | None, new: NewRequest, seconds: float
    ) -> CallToolResult:
        """Create the request, hold the call, and return where it stands."""
        created = await self._create(ctx, tool, loop, new)
        del new  # a call may wait for an hour with a thousand others
        request = await self.hold(ctx, created.request, seconds)
        return await self.result(ctx.request_id, request, created)

    async def _create(self, ctx: Context[Any], tool: str, loop: str | None, new: NewRequest) -> Created:
        self.introduce(ctx)
        chosen = await self.loop_for(loop)
        await self._deliveries.settle()
        # H3: over stdio the same question of one process is one request, while that process lives
        once = digest([self._process, tool, chosen.id, new.model_dump(mode="json")])
        return await self.client.create_request(chosen.id, new, once_key=once)

    async def result(
        self, call_id: RequestId | None, request: ReviewRequest, created: Created | None = None
    ) -> CallToolResult:
        """The tool's result; a final one is followed until the agent has it."""
        backend = await self.client.backend()
        notes = [backend.note] if backend.note else []
        if created is not None and request.status.is_open and created.open_ahead:
            notes.append(
                f"{created.open_ahead} other question{'s wait' if created.open_ahead > 1 else ' waits'} as well."
            )
        result = review_result(
            request, backend.inbox, joined=created is not None and created.joined,
            repeat=created is not None and created.repeat, notes=notes,
        )  # fmt: skip
        if not request.status.is_open:
            await self._deliveries.expect(call_id, request.id)
        return result

    async def hold(self, ctx: Context[Any], request: ReviewRequest, seconds: float) -> ReviewRequest:
        """Wait up to `seconds` for the request to close, with progress. Whatever ends the wait withdraws nothing."""
        if not request.status.is_open or seconds <= 0:
            return request
        start = time.monotonic()
        told, told_at = "", start
        meta = ctx.request_context.meta
        beat = BEAT_SECONDS if meta and meta.get("progress_token") is not None else seconds  # nobody listens otherwise
        with self.client.watching(request) as watch:
            while watch.request.status.is_open and (left := seconds - (time.monotonic() - start)) > 0:
                try:
                    await watch.changed(min(beat, left))
                except HITLError as error:
                    raise ToolError(
                        f"Waiting ended by a fault: {error} Request {request.id} is kept and is NOT approved. Call "
                        "check_request with its id."
                    ) from error
                now = time.monotonic()
                state = _state(watch.request)
                if watch.request.status.is_open and (state != told or now - told_at >= BEAT_SECONDS / 2):
                    told, told_at = state, now
                    words = f"{state}; this call waits {max(seconds - (now - start), 0):.0f} s more"
                    await ctx.report_progress(round(now - start, 3), seconds, words)
            return watch.request


def _state(request: ReviewRequest) -> str:
    who = request.claimed_by_user
    return f"{who.name} is looking at it" if who else "Waiting for a person"
