"""Questions that may have been asked twice, because no answer to the first came (H33).

The other one is looked for a while after the repeat, and once more before a decision is handed over. Still open, it is
cancelled: the caller holds the one, so the other is the one too many. Where both are decided and differ, neither
counts: the result is unreadable, which is not approved.
"""

from __future__ import annotations

import logging
from typing import Any

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.states import Status
from hitl_mcp.errors import HITLError, NotFound
from hitl_mcp.sdk import calls
from hitl_mcp.sdk.calls import Call
from hitl_mcp.sdk.cloud.approvals import marker_of
from hitl_mcp.sdk.cloud.listing import PAGE
from hitl_mcp.sdk.cloud.metered import Metered, Told, page_call, request_call
from hitl_mcp.sdk.cloud.reading import items_of, read_request, request_part, says_enough, time_of
from hitl_mcp.sdk.cloud.share import Twin, Tx

log = logging.getLogger(__name__)

SKEW_SECONDS = 600.0
"""How far the cloud's clock may differ from ours."""
_STEP = PAGE - 10
"""Pages overlap, because the list may move between two of them."""
_CHECKS = (60.0, 600.0)
"""Seconds after the repeat."""
_NEVER = 1e12
_AGAIN = 30.0


class Twins:
    """The search for the other one.

    Args:
        metered: the way to the cloud.
    """

    def __init__(self, metered: Metered) -> None:
        self._metered = metered

    @staticmethod
    def begin(tx: Tx, marker: str, held: str, sent: float) -> None:
        """From now on the other one of `held` is looked for.

        Args:
            sent: when the question was first sent.
        """
        tx.put_twin(Twin(marker, held, sent, tx.now + _CHECKS[0], 0, None))

    @staticmethod
    def settle(tx: Tx, request: ReviewRequest, sent: float) -> bool:
        """Remember a request's state; whether it may be told. A decision is kept back while it may have another."""
        twin = next((one for one in tx.twins() if one.held == request.id), None)
        if twin is None or request.status is not Status.COMPLETED:
            tx.see(request, sent)
            return True
        if twin.closed is None:
            tx.put_twin(twin._replace(closed=request.model_dump_json(), due=tx.now, page=0))
        return False

    @staticmethod
    def due(tx: Tx) -> Twin | None:
        """One to be looked for now."""
        return next((twin for twin in tx.twins() if twin.due <= tx.now), None)

    @staticmethod
    def call(twin: Twin) -> Call[Any]:
        """The page on which the other one may be."""
        return page_call(newest=True, offset=twin.page * _STEP)

    async def finish(self, request_id: str) -> ReviewRequest | None:
        """Look for the other one of a decided request now; the request as it may be told, or None if that failed."""
        while True:
            twins = await self._metered.transaction(lambda tx: tx.twins())
            twin = next((one for one in twins if one.held == request_id), None)
            if twin is None:
                seen = await self._metered.transaction(lambda tx: tx.seen(request_id))
                return seen.request if seen else None
            if twin.due > self._metered.clock():
                return None
            await self.learn(twin, await self._metered.call(self.call(twin)))

    async def learn(self, twin: Twin, told: Told) -> None:
        """What a page says of the other one."""
        items = items_of(told.data)
        others = [one for one in items if marker_of(one.get("context")) == twin.marker and one["id"] != twin.held]
        differs, unsettled = False, False
        for item in others:
            other = await self._ended(item)
            unsettled = unsettled or other is None
            differs = differs or (other is not None and _differ(twin, other))
        last = time_of(items[-1]) if items else None
        whole = len(items) < PAGE or (last is not None and last < twin.sent - SKEW_SECONDS)
        await self._metered.transaction(
            lambda tx: self._after(tx, twin, whole=whole or bool(others), differs=differs, unsettled=unsettled)
        )

    async def _ended(self, item: dict[str, Any]) -> ReviewRequest | None:
        """The other one, once it is over: cancelled now where it was open. None when that is not known."""
        try:
            if not says_enough(item):
                item = request_part((await self._metered.call(request_call(item["id"]))).data, item["id"])
            other = read_request(item)
            if other.status.is_open:
                await self._metered.call(calls.cancel_request(other.id))
                log.info("A question was asked twice; the second, %s, was cancelled", other.id)
                return other.model_copy(update={"status": Status.CANCELLED})
            return other
        except NotFound:
            return None
        except HITLError as fault:
            log.info("The second of a question that was asked twice could not be cancelled: %s", fault)
            return None

    @staticmethod
    def _after(tx: Tx, twin: Twin, *, whole: bool, differs: bool, unsettled: bool) -> None:
        now = next((one for one in tx.twins() if one.marker == twin.marker), None)
        if now is None:
            return
        if unsettled:
            tx.put_twin(now._replace(due=tx.now + _AGAIN, page=0))
        elif not whole:
            tx.put_twin(now._replace(due=tx.now, page=twin.page + 1))
        elif now.closed is None:
            later = next((now.sent + after for after in _CHECKS if now.sent + after > tx.now), _NEVER)
            tx.put_twin(now._replace(due=later, page=0))
        elif twin.closed is None:
            tx.put_twin(now._replace(due=tx.now, page=0))  # decided after this page was asked for
        else:
            request = ReviewRequest.model_validate_json(twin.closed)
            tx.drop_twin(twin.marker)
            tx.see(unreadable(request) if differs else request, tx.now)


def unreadable(request: ReviewRequest) -> ReviewRequest:
    """The same request, its decision not to be trusted (H11)."""
    return request.model_copy(update={"response_by": None, "decided_revision": None, "decision": None})


def _differ(twin: Twin, other: ReviewRequest) -> bool:
    if twin.closed is None or other.status is not Status.COMPLETED:
        return False
    held = ReviewRequest.model_validate_json(twin.closed)
    return held.response_data != other.response_data or type(held.response_data) is not type(other.response_data)
