"""What the tools share: the client, which loop is meant, the same question once, and holding a call open."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import anyio
import anyio.abc
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult

from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.models import Created, Loop, NewRequest, ReviewRequest
from hitl_mcp.contract.text import digest
from hitl_mcp.errors import BadRequest, HITLError, NotAllowed, NotFound
from hitl_mcp.sdk.aio import AsyncHITLClient
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.watch import Watch
from hitl_mcp.sdk.which_loop import find_loop
from hitl_mcp.tools.deliveries import Deliveries
from hitl_mcp.tools.dialog import Silence
from hitl_mcp.tools.results import READS, review_result, waits_for_a_person, where_it_stands, words_on
from hitl_mcp.tools.rounds import ROUND_SECONDS

BEAT_SECONDS = 8.0
"""Progress goes out this often: inside the 5 to 10 s that keeps patient hosts awake."""
BEAT_GRID_SECONDS = 0.5
"""Beats of many calls go out together, at most this much earlier: waking up for each costs more than what it sends."""
FOLLOW_SECONDS = 60.0
SETTLE_SECONDS = 1.0
"""How long closing waits for deliveries to be recorded. In doubt the agent asks twice (H2)."""

Opener = Callable[[anyio.abc.TaskGroup], AsyncHITLClient]


class Asked(NamedTuple):
    """What the result says of how the request was made; see `Created`, which is too large to be kept while waiting."""

    joined: bool = False
    repeat: bool = False
    open_ahead: int = 0


class Desk:
    """One caller's side of the backend, opened without side effects: the backend is found or started at the first call
    (D13). A context manager: a call is at the desk while it runs, and the desk is not closed under it.

    Args:
        open_client: makes the client of the configured backend.
        tasks: runs the client and, where needed, the service itself; ends with the server.
        loop: the loop that questions go to when the agent names none.
        merges: the same question of this caller is asked once while it is open (H3).
        api_key_id: whose requests this caller may see; None where the backend knows one caller only.
        round_seconds: how long one request waits where a call can go on in another.
    """

    def __init__(
        self,
        open_client: Opener,
        tasks: anyio.abc.TaskGroup,
        loop: str | None,
        *,
        merges: bool = True,
        api_key_id: str | None = None,
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        self._open = open_client
        self._tasks = tasks
        self._loop = loop
        self._api_key_id = api_key_id
        self.round_seconds = round_seconds
        self._client: AsyncHITLClient | None = None
        self._process = secrets.token_hex(16) if merges else None
        self._deliveries = Deliveries(self._record, tasks)
        self._running = anyio.CancelScope()
        self._held: set[Watch] = set()
        self._mergeable: set[str] = set()
        self.draining = False
        self.silence = Silence()
        self.users = 0
        self.left_at = 0.0

    def __enter__(self) -> Self:
        self.users += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.users -= 1
        self.left_at = time.monotonic()

    @property
    def client(self) -> AsyncHITLClient:
        """The backend's client. Raises: NotConfigured."""
        if self._client is None:
            self._client = self._open(self._tasks)
            self._tasks.start_soon(self._run, self._client)
        return self._client

    async def _run(self, client: AsyncHITLClient) -> None:
        with self._running:
            await client.run()

    async def aclose(self) -> None:
        """Close the client's connections."""
        self._running.cancel()
        if self._client is not None:
            with contextlib.suppress(HITLError), anyio.move_on_after(SETTLE_SECONDS):
                await self._deliveries.settle()
            await self._client.aclose()

    async def _record(self, request_id: str) -> None:
        await self.client.deliver_request(request_id)
        self._mergeable.discard(request_id)

    def drain(self) -> None:
        """From now on no call waits: those that do return their handle at once."""
        self.draining = True
        for watch in self._held:
            watch.news.set()

    def may_see(self, request: ReviewRequest) -> bool:
        """Whether the request is this caller's own; one account's keys may read each other's at the API."""
        return self._api_key_id is None or request.api_key_id == self._api_key_id

    async def known(self, request_id: str) -> ReviewRequest:
        """This caller's request, as it stands. Raises: BadRequest for what is no id, NotFound also for others' ones."""
        if not is_id(request_id):
            raise BadRequest("Invalid request ID format", "24 characters 0-9 and a-f")
        with contextlib.suppress(NotFound, NotAllowed):
            request = await self.client.look(request_id)
            if self.may_see(request):
                return request
        raise NotFound("Request not found")

    async def loop_for(self, wanted: str | None, argument: str = "loop") -> Loop:
        """The loop meant: by id or name, by setting, or the only one (D22). Raises: ToolError that lists them.

        Args:
            argument: the tool's name for what is wanted.
        """
        source = argument if wanted or self._loop is None else "the setting HITL_LOOP"
        try:
            return await find_loop(self.client, wanted or self._loop, source)
        except BadRequest as none:
            raise ToolError(str(none)) from None

    async def create(self, ctx: Context[Any, Any], tool: str, loop_id: str, new: NewRequest) -> tuple[Created, Asked]:
        """Create the request, or find the same question of this process (H3)."""
        if self._process is None:
            once = secrets.token_hex(16)  # names this one call, so that the client may send it again when in doubt
        else:
            await self._deliveries.settle()
            # H3: over stdio the same question of one process is one request, while that process lives
            once = digest([self._process, tool, loop_id, new.model_dump(mode="json")])
        try:
            created = await self.client.create_request(loop_id, new, idempotency_key=once, client_name=client_name(ctx))
        except NotFound:
            self.client.forget_loops()  # the loop is gone, and is not to be chosen again
            raise
        merges = self._process is not None
        if merges:
            self._mergeable.add(created.request_id)
        return created, Asked(created.joined and merges, created.repeat, created.open_ahead)

    async def result(
        self, ctx: Context[Any, Any], request: ReviewRequest, asked: Asked | None = None, note: str = ""
    ) -> CallToolResult:
        """The tool's result; a final one is followed until the agent has it.

        Args:
            note: what became of an answer given in the client's dialog.
        """
        backend = await self.client.backend()
        asked = asked or Asked()
        message = self.message(request, backend, asked, note=note)
        self.hand_over(ctx, request)
        return review_result(request, backend, message, joined=asked.joined, repeat=asked.repeat)

    def message(
        self, request: ReviewRequest, backend: Endpoint, asked: Asked, reads: str = READS, note: str = ""
    ) -> str:
        """Where the request stands and what to do next, in words. Raises: ToolError for an unreadable decision (H11).

        Args:
            reads: the tool that reads a request.
            note: what else is to be said.
        """
        notes = [words for words in (note, backend.note) if words]
        ahead = asked.open_ahead
        if request.status.is_open and ahead:
            notes.append(f"{ahead} other question{'s wait' if ahead > 1 else ' waits'} as well.")
        if request.status.is_open and (late := self.client.staleness()):
            notes.append(late)
        return words_on(request, backend, joined=asked.joined, repeat=asked.repeat, notes=notes, reads=reads)

    def hand_over(self, ctx: Context[Any, Any], request: ReviewRequest) -> None:
        """The call's result carries this request: a final one is followed until the agent has it (H2)."""
        if not request.status.is_open:
            reception: Reception = ctx.request_context.lifespan_context
            reception.follow(ctx, self._deliveries, request.id)

    def show(self, ctx: Context[Any, Any], requests: list[ReviewRequest]) -> None:
        """The call's result lists these requests with their decisions.

        Those that this process asked count as handed over, so that none of them answers the same question again (H2).
        Others' stay for whoever asked them.
        """
        for request in requests:
            if request.id in self._mergeable:
                self.hand_over(ctx, request)

    async def hold(
        self,
        ctx: Context[Any, Any],
        request: ReviewRequest,
        seconds: float,
        since: int | None = None,
        *,
        reads: str = READS,
    ) -> ReviewRequest:
        """Wait up to `seconds` for the request to close, or for a reviewer's question, with progress. Whatever ends the
        wait withdraws nothing.

        Args:
            since: the client's `mark` from before the request was read.
            reads: the tool that reads a request.
        """
        if not waits_for_a_person(request) or seconds <= 0 or self.draining:
            return request
        start = time.monotonic()
        end = start + seconds
        meta = ctx.request_context.meta
        listens = meta is not None and meta.get("progress_token") is not None
        told, beat = "", end  # nobody listens otherwise
        with self.client.watching(request, since) as watch:
            self._held.add(watch)
            try:
                while waits_for_a_person(watch.request) and not self.draining and (now := time.monotonic()) < end:
                    if listens and ((state := where_it_stands(watch.request)) != told or now >= beat):
                        told, beat = state, _grid(now + BEAT_SECONDS)
                        words = f"{state}; this call waits {end - now:.0f} s more"
                        await ctx.report_progress(round(now - start, 3), seconds, words)
                    await self._changed(watch, min(beat, end) - now)
            except HITLError as error:
                raise ToolError(
                    f"Waiting ended by a fault: {error} Request {request.id} is kept and is NOT approved. Call "
                    f"{reads} with its id."
                ) from error
            finally:
                self._held.discard(watch)
            return watch.request

    async def follow(self, request: ReviewRequest, since: int | None = None) -> AsyncGenerator[ReviewRequest]:
        """The request each time it has changed, until it is closed or the server drains. Keeps the desk open.

        Args:
            since: the client's `mark` from before the request was read.

        Raises: what the backend refuses with.
        """
        with self, self.client.watching(request, since) as watch:
            self._held.add(watch)
            try:
                seen = request
                while watch.request.status.is_open and not self.draining:
                    await self._changed(watch, FOLLOW_SECONDS)
                    if watch.request != seen:
                        seen = watch.request
                        yield seen
            finally:
                self._held.discard(watch)

    def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run this beside the calls, as long as the server runs at most."""
        self._tasks.start_soon(work)

    def told(self, request: ReviewRequest) -> None:
        """The agent was told of this request outside of a call; its final state counts as handed over (H2)."""
        if not request.status.is_open:
            self._deliveries.delivered(request.id)

    async def _changed(self, watch: Watch, seconds: float) -> None:
        until = time.monotonic() + seconds
        with anyio.move_on_after(seconds):
            await watch.news.wait()
        if watch.news.is_set() and not self.draining:
            await watch.changed(until - time.monotonic())


class Reception(Protocol):
    """A transport's side of a call: who calls, and who sees the result leave. The server's lifespan context."""

    def desk(self) -> Desk:
        """The desk of whoever makes the current call."""
        ...

    def follow(self, ctx: Context[Any, Any], deliveries: Deliveries, request_id: str) -> None:
        """The call is about to return this request's final result: see whether it gets there, and tell.

        One call may return several.
        """
        ...


def client_name(ctx: Context[Any, Any]) -> str | None:
    """Which client asks, in its own words."""
    params = ctx.session.client_params
    if params is None:
        return None
    info = params.client_info
    return " ".join(f"{info.title or info.name} {info.version}".split())


def _grid(moment: float) -> float:
    return moment - moment % BEAT_GRID_SECONDS
