"""AsyncHITLClient: everything the contract offers, under plain names, for whichever backend."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import anyio

from hitl_mcp.contract.account import Invitation, KeyFacts, NewLoopReply
from hitl_mcp.contract.models import (
    Change,
    Created,
    Loop,
    LoopRequestFilter,
    NewAnswer,
    NewRequest,
    RequestChange,
    RequestFilter,
    ReviewRequest,
)
from hitl_mcp.contract.routes import CLIENT_NAME
from hitl_mcp.contract.states import Kind, Status
from hitl_mcp.contract.teams import Feedback, LoopChange, Member, NewLoop, NewMember
from hitl_mcp.contract.tokens import TOKEN_SECONDS, AccessToken, NewToken
from hitl_mcp.errors import BadRequest, Conflict, HITLError
from hitl_mcp.sdk import batches, calls
from hitl_mcp.sdk.alongside import alongside
from hitl_mcp.sdk.backend import Backend
from hitl_mcp.sdk.batches import AT_ONCE, Progress
from hitl_mcp.sdk.choosing import backend_maker
from hitl_mcp.sdk.connection import Connection
from hitl_mcp.sdk.endpoint import Endpoint, Resolver
from hitl_mcp.sdk.given import joined, valid
from hitl_mcp.sdk.once import attempt_key
from hitl_mcp.sdk.own import OwnService
from hitl_mcp.sdk.reviews import first_generation
from hitl_mcp.sdk.reviews.client import Reviews
from hitl_mcp.sdk.watch import Watch
from hitl_mcp.sdk.webhooks.client import Webhooks

Asked = ReviewRequest | Created | str
"""A request, the reply that made it, or its id."""


class AsyncHITLClient(Reviews, Webhooks):
    """The client of one backend: the HITL.sh cloud, a team's server, or this machine's local service.

    Use it as an async context manager; it may also be used without one, and closed with `aclose`. It belongs to one
    event loop. Nothing is touched before the first call.

    Args:
        api_key: of the cloud or a team's server; by default `HITL_API_KEY`.
        base_url: of the server, with or without `/v1`; by default `HITL_BASE_URL`, else the HITL.sh cloud. With neither
            key nor address it is the local service that runs on this machine.
        timeout: seconds that one attempt of a call may take; by default `HITL_TIMEOUT`, 30. Waiting has limits of its
            own.
        max_retries: how often a call is repeated, where repeating is safe.
        retry_delay: seconds before the first repetition; doubled each time, with jitter.
        user_agent: what the calls say of your program.
        backend: one that was opened elsewhere; then nothing else of the above holds.

    Raises: NotConfigured.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float | None = None,
        max_retries: int = 3,
        retry_delay: float = 1.0,
        user_agent: str | None = None,
        *,
        backend: Backend | None = None,
    ) -> None:
        self._backend = (
            backend
            or backend_maker(
                api_key,
                base_url,
                timeout=timeout,
                max_retries=max_retries,
                retry_delay=retry_delay,
                user_agent=user_agent,
            )()
        )
        self._stack = AsyncExitStack()
        self._runs = anyio.Lock()
        self._loops: tuple[float, list[Loop]] = 0.0, []
        self.client_name: str | None = None

    @classmethod
    def at(cls, resolver: Resolver) -> Self:
        """A client of our own service, wherever the resolver finds it."""
        return cls(backend=OwnService(Connection(resolver)))

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(alongside(self.run))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._stack.aclose()
        finally:
            with anyio.CancelScope(shield=True):
                await self.aclose()

    async def run(self) -> None:
        """What makes waiting work; runs until cancelled. A context manager does this by itself.

        It may be run several times side by side: one does the work, and when it ends, the next.
        """
        async with self._runs:
            await self._backend.run()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._backend.aclose()

    # the backend

    async def backend(self) -> Endpoint:
        """Which backend this is, and where. Raises: Unreachable, NotConfigured."""
        return await self._backend.endpoint()

    def staleness(self) -> str | None:
        """How late a decision may be seen, as a sentence; None where it is seen at once."""
        return self._backend.staleness()

    async def check_key(self) -> KeyFacts:
        """Whether the key works, whose it is, what it may do, and what is left of its budget."""
        return await self._backend.send(calls.check_key())

    async def create_token(
        self, expires_in: int = TOKEN_SECONDS, *, loop_ids: list[str] | None = None, scopes: list[str] | None = None
    ) -> AccessToken:
        """A token that stands for this key for `expires_in` seconds, at most an hour, as for a web page."""
        wanted = {"expires_in": expires_in, "loop_ids": loop_ids, "scopes": scopes}
        return await self._backend.send(calls.create_token(valid(NewToken, wanted)))

    # loops and members

    async def list_loops(self, *, fresh: bool = False) -> list[Loop]:
        """Every loop the key may ask in, remembered for 3 s, on the cloud for 5 minutes.

        Args:
            fresh: ask the backend whatever is remembered.
        """
        until, remembered = self._loops
        if not fresh and time.monotonic() < until:
            return list(remembered)
        found = await self._backend.send(calls.list_loops())
        self._loops = time.monotonic() + self._backend.loops_seconds, found
        return list(found)

    def forget_loops(self) -> None:
        """The next `list_loops` asks the backend."""
        self._loops = 0.0, []

    async def get_loop(self, loop_id: str) -> Loop:
        """One loop with its people."""
        return await self._backend.send(calls.get_loop(loop_id))

    async def create_loop(self, name: str, icon: str = "shield-check", description: str | None = None) -> NewLoopReply:
        """A loop, with the code, address and QR code that let people ask to join."""
        self.forget_loops()
        new = valid(NewLoop, {"name": name, "icon": icon, "description": description})
        return await self._backend.send(calls.create_loop(new))

    async def update_loop(self, loop_id: str, **changes: Any) -> Loop:
        """Change `name`, `icon` or `description`; what is left out stays."""
        self.forget_loops()
        return await self._backend.send(calls.update_loop(loop_id, valid(LoopChange, changes)))

    async def delete_loop(self, loop_id: str) -> None:
        """Take a loop out of use."""
        self.forget_loops()
        await self._backend.send(calls.delete_loop(loop_id))

    async def renew_invite(self, loop_id: str) -> Invitation:
        """A fresh way in for seven days; the former ones stop working."""
        return await self._backend.send(calls.renew_invite(loop_id))

    async def list_members(self, loop_id: str) -> list[Member]:
        """Who answers for a loop."""
        return await self._backend.send(calls.list_members(loop_id))

    async def add_member(self, loop_id: str, email: str, name: str | None = None) -> Member:
        """Invite a person by address; they are pending until a person of the loop lets them in."""
        return await self._backend.send(calls.add_member(loop_id, valid(NewMember, {"email": email, "name": name})))

    async def remove_member(self, loop_id: str, user_id: str) -> None:
        """Take a person out of a loop."""
        await self._backend.send(calls.remove_member(loop_id, user_id))

    # requests

    async def create_request(
        self,
        loop_id: str,
        data: NewRequest | Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        client_name: str | None = None,
        **fields: Any,
    ) -> Created:
        """Ask a person.

        Args:
            loop_id: where the question goes. For a body of the first generation also a name, a slug or an alias.
            data: the request's fields; they may be given as keyword arguments instead, or beside it. With `content` and
                no `request_text` it is a body of the first generation.
            idempotency_key: the same key and question find the same request while it is open. With it the call is
                repeated when the connection breaks.
            client_name: who asks, where several ask through this client; by default the client's own `client_name`.

        Raises: BadRequest with the field at fault, NotFound for the loop, Conflict for a key used for another question,
            TooManyRequests.
        """
        if idempotency_key is not None and not (idempotency_key.isascii() and 0 < len(idempotency_key.strip()) <= 200):
            issue = "must be 1 to 200 characters of ASCII"
            raise BadRequest("Validation failed", {"field": "idempotency_key", "issue": issue})
        name = client_name or self.client_name
        headers = {CLIENT_NAME: quote(name, safe=" ()/")} if name else {}  # headers hold ASCII only
        given = data if isinstance(data, NewRequest) and not fields else joined(data, fields)
        if not isinstance(given, NewRequest) and first_generation.is_first_generation(given):
            once_key = idempotency_key or attempt_key(f"create_request {loop_id} {given['content']}")
            return await first_generation.create(self, self._backend, loop_id, given, once_key, headers)
        new = given if isinstance(given, NewRequest) else valid(NewRequest, given)
        once_key = idempotency_key or attempt_key(f"create_request {loop_id} {new.request_text}")
        return await self._backend.create(loop_id, new, once_key, headers)

    async def request_approval(
        self, loop_id: str, request_text: str, *, idempotency_key: str | None = None, **fields: Any
    ) -> Created:
        """Ask a person to approve one action: Approve, Reject or Needs Changes, rejected when nobody answers in time.

        The decided request's `decision` is `approved`, `rejected` or `needs_changes`; anything else is no approval.
        """
        given = {**fields, "kind": Kind.APPROVAL, "request_text": request_text}
        return await self.create_request(loop_id, given, idempotency_key=idempotency_key)

    async def create_requests(
        self,
        loop_id: str,
        items: Iterable[NewRequest | Mapping[str, Any]],
        *,
        at_once: int = AT_ONCE,
        on_progress: Progress | None = None,
    ) -> list[Created]:
        """Ask many questions, `at_once` at a time; the replies in the items' order.

        Args:
            on_progress: called with how many are done, and of how many, after each.

        Raises: BatchFailed when some failed, with every item's result or error.
        """
        return await batches.run(
            lambda item: self.create_request(loop_id, item), list(items), at_once=at_once, on_progress=on_progress
        )

    async def get_request(self, request_id: str) -> ReviewRequest:
        """One request as it stands."""
        return await self._backend.send(calls.get_request(request_id))

    async def look(self, request_id: str) -> ReviewRequest:
        """One request, on the cloud as it was seen within `staleness`, so that looking often costs nothing."""
        return await self._backend.look(request_id)

    async def list_requests(self, wanted: RequestFilter | None = None, **filters: Any) -> list[ReviewRequest]:
        """The key's requests: `status`, `priority`, `loop_id`, `limit` (to 100), `offset`, `sort`, `created_before`."""
        return await self._backend.send(calls.list_requests(wanted or valid(RequestFilter, filters)))

    async def list_loop_requests(self, loop_id: str, **filters: Any) -> list[ReviewRequest]:
        """A loop's requests, whichever key made them; filters as in `list_requests`."""
        return await self._backend.send(calls.list_loop_requests(loop_id, valid(LoopRequestFilter, filters)))

    async def update_request(self, request_id: str, **changes: Any) -> ReviewRequest:
        """Change an open request: a new revision, which who had it open must look at again.

        Raises: NotSupported on the cloud, which cannot tell what a person had on the screen (H4).
        """
        return await self._backend.send(calls.update_request(request_id, valid(RequestChange, changes)))

    async def cancel_request(self, request_id: str) -> ReviewRequest:
        """Withdraw an open request."""
        try:
            return await self._backend.send(calls.cancel_request(request_id))
        except BadRequest as refused:
            raise await self._too_late(request_id, refused) from refused

    async def add_feedback(self, request_id: str, feedback: Mapping[str, Any] | None = None, **fields: Any) -> None:
        """Say how good an answer was: `rating` 1 to 5, `comment`, and more; once, for a completed request."""
        await self._backend.send(calls.add_feedback(request_id, valid(Feedback, joined(feedback, fields))))

    async def answer_in_client(
        self, request_id: str, response_data: Any, *, revision: int, comment: str = ""
    ) -> ReviewRequest:
        """Pass on what a person answered in your program's own dialog; marked `client_asserted` wherever it is shown.

        For programs with a user in front of them, such as an MCP client; never for an agent's own opinion (H7).

        Args:
            revision: of the request that was shown.

        Raises: NotAllowed where such answers are not taken (a created request says so in `client_answers`), Conflict
            when somebody was first or the request has changed, NotSupported on the cloud.
        """
        answer = valid(NewAnswer, {"response_data": response_data, "revision": revision, "comment": comment})
        return await self._backend.send(calls.answer_in_client(request_id, answer))

    async def changes_after(self, position: int | None) -> tuple[list[Change], int]:
        """What happened to the key's requests after a position of the event log, and the position reached."""
        return await self._backend.send(calls.list_changes(position))

    def stream(self, after: int | None = None) -> AsyncIterator[Change | int]:
        """The event stream, opened once: its position, then changes as they happen. Ends when the service ends it."""
        return self._backend.stream(after)

    # waiting

    async def wait_for_decision(
        self, request: Asked, timeout: float | None = None, *, until_question: bool = False
    ) -> ReviewRequest:
        """The request once it is closed, or as it stands after `timeout` seconds; see its `status`.

        Giving up waiting withdraws nothing. Without a timeout it waits until the request is decided, cancelled, or its
        own time is over.

        Args:
            until_question: also return, with `waits_for_agent`, while a reviewer's question to the agent is open.
                Answer it by `update_request(id, reviewer_answer=...)` before you wait again.
        """
        async with alongside(self.run):
            known = await self._known(request)
            if until_question and known is request and known.waits_for_agent:
                known = await self.look(known.id)  # it may have been answered since
            with self.watching(known) as watch, anyio.move_on_after(timeout):
                while watch.request.status.is_open and not (until_question and watch.request.waits_for_agent):
                    await watch.changed(_LONG if timeout is None else timeout)
            return watch.request

    async def wait_for_decisions(
        self, requests: Iterable[Asked], timeout: float | None = None, *, on_progress: Progress | None = None
    ) -> list[ReviewRequest]:
        """Many at once, in their order; each as `wait_for_decision`."""
        waiting = list(requests)
        return await batches.run(
            lambda one: self.wait_for_decision(one, timeout), waiting, at_once=len(waiting), on_progress=on_progress
        )

    async def deliver_request(self, request_id: str) -> None:
        """Say that the agent has the result (H2)."""
        await self._backend.delivered(request_id)

    def mark(self) -> int | None:
        """For `watching`, to be taken before the request is asked for or read; see `Watcher.mark`."""
        return self._backend.mark()

    def watching(self, request: ReviewRequest, since: int | None = None) -> AbstractContextManager[Watch]:
        """Watch a request; see `Watcher.watching`."""
        return self._backend.watching(request, since)

    async def _too_late(self, request_id: str, refused: BadRequest) -> BadRequest | Conflict:
        """Who was first, where the request is closed; else the refusal as it was."""
        try:
            request = await self.get_request(request_id)
        except HITLError:
            return refused
        if request.status is not Status.COMPLETED:
            return refused
        who, at = request.response_by_user, request.response_at
        first = {
            "status": request.status.value, "by": who.name if who else request.response_by,
            "at": at.isoformat() if at else None,
        }  # fmt: skip
        return Conflict(refused.message, first, status=refused.status)

    async def _known(self, request: Asked) -> ReviewRequest:
        if isinstance(request, Created):
            return request.request
        return await self.look(request) if isinstance(request, str) else request


_LONG = 3600.0
