"""The only way to the wire: every call is written down before it is made, its budget headers are kept (H31, H32)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import anyio

from hitl_mcp.backoff import pause
from hitl_mcp.contract import routes
from hitl_mcp.errors import ContractBroken, ServiceFault, TooManyRequests, Unreachable
from hitl_mcp.sdk import calls, http
from hitl_mcp.sdk.calls import Call
from hitl_mcp.sdk.cloud.budget import read_facts
from hitl_mcp.sdk.cloud.listing import PAGE
from hitl_mcp.sdk.cloud.share import Share, Spent, Tx
from hitl_mcp.sdk.cloud.store import Busy, Unusable
from hitl_mcp.sdk.connection import Answer, Connection
from hitl_mcp.sdk.failures import envelope_data

log = logging.getLogger(__name__)
T = TypeVar("T")

ATTEMPTS = 3
"""As the cloud's own pages advise; each one counts."""
CALL_SECONDS = 20.0
"""What a look may take; less than a turn (H32)."""
_PAUSE = 0.5
_LOCK_TRIES = 400
_LOCK_PAUSE = 0.05


class NoEnvelope(ServiceFault):
    """Something between us and the cloud answered, or what was left of it: what the call did is not known."""


class Told(NamedTuple):
    """What a call brought.

    Attributes:
        data: the envelope's.
        sent: when the call was sent, seconds since 1970.
    """

    data: Any
    sent: float


class Metered:
    """Calls of one key. Nothing is touched before the first one.

    Args:
        connection: the way to the cloud.
        folder: where the share is kept.
        clock: seconds since 1970.
    """

    def __init__(self, connection: Connection, folder: Path, clock: Callable[[], float]) -> None:
        self.connection = connection
        self.clock = clock
        self._folder = folder
        self._share: Share | None = None

    async def share(self) -> Share:
        """What the processes of this machine know together about this key."""
        if self._share is None:
            endpoint = await self.connection.endpoint()
            self._share = Share(self._folder, endpoint.key, endpoint.base_url, self.clock)
        return self._share

    async def aclose(self) -> None:
        """Close the share and the connection."""
        if self._share is not None:
            self._share.close()
        await self.connection.aclose()

    async def transaction(self, work: Callable[[Tx], T]) -> T:
        """Work with the share, when its turn comes.

        Raises: Unusable when the data folder cannot be written.
        """
        share = await self.share()
        for _ in range(_LOCK_TRIES):
            try:
                with share.transaction() as tx:
                    return work(tx)
            except Busy:
                await anyio.sleep(pause(_LOCK_PAUSE, 0, _LOCK_PAUSE))
        raise Unusable("What is known of the cloud's budget cannot be reached: another process holds it. Try again.")

    async def call(self, call: Call[Any], kind: Spent = "call") -> Told:
        """One operation that an agent or a program asked for, repeated where that is safe.

        Raises: TooManyRequests before anything is sent when the budget is known to be gone, Unreachable,
            ContractBroken, and the Refused tree.
        """
        for attempt in range(ATTEMPTS):
            try:
                return await self.once(call, kind)
            except (Unreachable, ServiceFault) as error:
                safe = call.repeatable or isinstance(error.__cause__, http.NotConnected)
                if not safe or attempt == ATTEMPTS - 1:
                    raise
                await anyio.sleep(pause(_PAUSE, attempt, longest=60))
        raise Unreachable("The HITL.sh cloud did not answer")

    async def once(self, call: Call[Any], kind: Spent) -> Told:
        """The same, sent once."""
        try:
            await self.transaction(lambda tx: self._spend(tx, kind))
        except Unusable as fault:
            log.warning("A call is not counted: %s", fault)
        return await self.counted(call)

    async def counted(self, call: Call[Any]) -> Told:
        """A call that was written down already."""
        sent = self.clock()
        answer = await self.connection.attempt(call)
        await self._learn(answer, sent)
        if answer.status == 429:
            raise self._refusal(answer)
        if answer.status >= 500 and not _has_envelope(answer.body):
            raise NoEnvelope(
                f"The HITL.sh cloud cannot be reached through its gateway (status {answer.status})",
                status=answer.status,
            )
        return Told(envelope_data(answer.status, answer.body), sent)

    def _spend(self, tx: Tx, kind: Spent) -> None:
        until = tx.budget().gone_until(tx.now)
        if until is not None:
            raise budget_gone(until, tx.now)
        tx.spend(kind)

    async def _learn(self, answer: Answer, sent: float) -> None:
        facts = read_facts(answer.status, answer.headers, answer.body, sent)
        if facts is not None:
            try:
                await self.transaction(lambda tx: tx.learn(facts))
            except Unusable as fault:
                log.warning("The budget is not remembered: %s", fault)

    def _refusal(self, answer: Answer) -> TooManyRequests:
        now = self.clock()
        facts = read_facts(answer.status, answer.headers, answer.body, now)
        return budget_gone(facts.resets_at if facts and facts.exact else None, now)


def budget_gone(until: float | None, now: float) -> TooManyRequests:
    """The error for a used-up budget. Nothing is queued.

    Args:
        until: when it comes back, where that is known.
    """
    words = "The HITL.sh cloud allows 100 calls an hour for each key, and this key's are used up. Nothing was queued."
    if until is None:
        return TooManyRequests(f"{words} The cloud did not say when they come back: in an hour at the latest.")
    at = datetime.fromtimestamp(until, UTC)
    wait = max(1, round(until - now))
    return TooManyRequests(
        f"{words} They come back at {at:%H:%M} UTC, in {max(1, round(wait / 60))} min; ask again then",
        {"reset_at": at.isoformat(), "retry_after": wait},
    )


def page_call(*, newest: bool, offset: int) -> Call[Any]:
    """A page of all requests, its data unread."""
    query: dict[str, str | int | float] = {
        "sort": "created_at_desc" if newest else "created_at_asc", "limit": PAGE, "offset": offset,
    }  # fmt: skip
    return Call("list_requests", "GET", routes.REQUESTS, _as_it_is, query=query, seconds=CALL_SECONDS)


def request_call(request_id: str) -> Call[Any]:
    """One request, its data unread."""
    return replace(calls.get_request(request_id), read=_as_it_is, seconds=CALL_SECONDS)


def is_ambiguous(error: Exception) -> bool:
    """Whether a call that failed so may have taken effect all the same."""
    if isinstance(error, Unreachable):
        return not isinstance(error.__cause__, http.NotConnected)
    return isinstance(error, NoEnvelope | ContractBroken)


def _as_it_is(data: Any) -> Any:
    return data


def _has_envelope(body: bytes) -> bool:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(parsed, dict) and "error" in parsed
