"""Waiting on the cloud: one look serves every request that this machine's processes wait for (D8, H30 to H32).

Each process says in the share what it waits for. Whoever finds a look due takes the turn, looks, and writes down what
it saw; the others read it there a second later. A wait outlives outages and a used-up budget.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import anyio

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.errors import ContractBroken, HITLError, NotAllowed, NotAuthorised, NotFound, TooManyRequests, Unreachable
from hitl_mcp.sdk.cloud import listing, schedule
from hitl_mcp.sdk.cloud.budget import Budget
from hitl_mcp.sdk.cloud.listing import Get, Item, Page
from hitl_mcp.sdk.cloud.metered import Metered, Told, budget_gone, page_call, request_call
from hitl_mcp.sdk.cloud.reading import items_of, read_request, request_part, says_enough, time_of, total_of
from hitl_mcp.sdk.cloud.schedule import Waiter
from hitl_mcp.sdk.cloud.share import LEASE_SECONDS, Seen, Twin, Tx
from hitl_mcp.sdk.cloud.store import Busy, Unusable
from hitl_mcp.sdk.cloud.twins import Twins
from hitl_mcp.sdk.watch import Source, Watch

log = logging.getLogger(__name__)

TICK_SECONDS, LONG_TICK_SECONDS = 1.0, 5.0
"""How often the share is read while somebody waits: soon after they began, and when they have waited for minutes."""
_TICK_OF_AGE = 1 / 60
RENEW_SECONDS = LEASE_SECONDS / 3


class Plan(NamedTuple):
    """A look that was written down and is now made."""

    call: Get | Page | Twin
    waiting: list[Waiter]


class Watching:
    """The waits of one process.

    Args:
        metered: the way to the cloud.
        twins: the search for questions that were asked twice.
        source: what a `Watch` reads a request from.
    """

    def __init__(self, metered: Metered, twins: Twins, source: Source) -> None:
        self._metered = metered
        self._twins = twins
        self._source = source
        self._owner = secrets.token_hex(8)
        self._watches: dict[str, set[Watch]] = {}
        self._told: dict[str, str | None] = {}
        self._began: dict[str, float] = {}
        self._wanted = anyio.Event()
        self._one = anyio.Lock()
        self._looking = False
        self._version: tuple[int, int] | None = None
        self._renewed: tuple[float, frozenset[str]] = -math.inf, frozenset()
        self._due = -math.inf
        self.pace = schedule.PACE

    @contextmanager
    def watching(self, request: ReviewRequest) -> Generator[Watch]:
        """Register for a request."""
        watch = Watch(self._source, request)
        group = self._watches.setdefault(request.id, set())
        if not group:
            self._told[request.id] = request.model_dump_json()
            self._began[request.id] = self._metered.clock()
        watch.news.set()  # it may be older than what is known already
        group.add(watch)
        self._wanted.set()
        try:
            yield watch
        finally:
            group.discard(watch)
            if not group:
                for known in (self._watches, self._told, self._began):
                    known.pop(request.id, None)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with self._one, anyio.create_task_group() as tasks:
            while True:
                await self._wanted.wait()
                while self._watches:
                    self._wanted = anyio.Event()
                    plan = await self._tick()
                    if plan is not None:
                        self._looking = True
                        tasks.start_soon(self._look, plan)
                    with anyio.move_on_after(self._pause()):
                        await self._wanted.wait()
                self._wanted = anyio.Event()
                await self._leave()

    def _pause(self) -> float:
        age = self._metered.clock() - max(self._began.values(), default=0.0)
        return max(TICK_SECONDS, min(LONG_TICK_SECONDS, age * _TICK_OF_AGE))

    async def seen(self, request_id: str) -> ReviewRequest:
        """What a waiter is told: what the share knows. Raises: NotFound, NotAuthorised, Unreachable."""
        refused = await self._metered.transaction(lambda tx: tx.note("refused"))
        if refused is not None and refused["at"] >= self._began.get(request_id, math.inf):
            raise NotAuthorised(refused["words"])
        seen = await self._metered.transaction(lambda tx: tx.seen(request_id))
        if seen is not None:
            return _told(seen, request_id)
        group = self._watches.get(request_id)
        if not group:
            raise Unreachable("The request was not looked at yet")
        return next(iter(group)).request

    async def look(self, request_id: str) -> ReviewRequest:
        """A request for whoever asks now: looked at where that may cost a call, else as it was seen last.

        Raises: TooManyRequests when nothing is known and nothing may be spent; NotFound; what the call raises.
        """
        seen, when = await self._metered.transaction(lambda tx: self._may_look(tx, request_id))
        if when is None or when > self._metered.clock():
            if seen is not None:
                return _told(seen, request_id)
            raise budget_gone(when, self._metered.clock())
        try:
            told = await self._metered.counted(request_call(request_id))
        except (NotFound, NotAllowed):
            sent = self._metered.clock()
            await self._metered.transaction(lambda tx: tx.gone(request_id, sent))
            raise
        except (HITLError, TooManyRequests):
            if seen is None or self._metered.clock() - seen.at > self.pace:
                raise
            return _told(seen, request_id)
        return await self.take(request_id, told)

    async def take(self, request_id: str, told: Told) -> ReviewRequest:
        """Remember what reading one request brought; the request as it may be told (H33)."""
        item = request_part(told.data, request_id)

        def work(tx: Tx) -> ReviewRequest | None:
            known = tx.seen(request_id)
            request = read_request(item, known.request if known else None)
            return request if Twins.settle(tx, request, told.sent) else None

        request = await self._metered.transaction(work) or await self._twins.finish(request_id)
        if request is None:
            raise Unreachable(
                "This question may have been asked twice, and the other one could not be looked at yet. Ask again in a "
                "minute; it is NOT approved."
            )
        return request

    def _may_look(self, tx: Tx, request_id: str) -> tuple[Seen | None, float | None]:
        seen = tx.seen(request_id)
        if seen is not None and seen.request is not None and not seen.request.status.is_open:
            return seen, None
        looks, budget = tx.looks(), tx.budget()
        self._promise(tx, budget, tx.waiting())
        when = schedule.may_look(looks, budget, tx.now, hurry=seen is None)
        if when <= tx.now:
            tx.spend("look")
        return seen, when

    def _promise(self, tx: Tx, budget: Budget, waiting: list[Waiter]) -> None:
        self.pace = schedule.pace(budget, tx.now) * listing.pages(waiting, listing.read_map(tx.note("map")))

    async def _tick(self) -> Plan | None:
        now = self._metered.clock()
        share = await self._metered.share()
        at, names = self._renewed
        waits = frozenset(self._watches)
        renew = names != waits or not 0 <= now - at < RENEW_SECONDS
        version = share.changes()
        if not renew and version is not None and version == self._version and now < self._due:
            return None
        try:
            with share.transaction() as tx:
                plan = self._plan(tx, renew=renew)
        except Busy:
            return None
        except Unusable as fault:
            log.warning("Nothing can be looked at: %s", fault)
            return None
        self._version = version  # from before: what others wrote since then is news the next time
        if renew:
            self._renewed = now, waits
        return plan

    def _plan(self, tx: Tx, *, renew: bool) -> Plan | None:
        if renew:
            tx.renew(self._owner, [next(iter(group)).request for group in self._watches.values()])
            tx.forget()
        self._tell(tx)
        waiting, looks, budget = tx.waiting(), tx.looks(), tx.budget()
        self._promise(tx, budget, waiting)
        twin = Twins.due(tx)
        due = schedule.due(waiting, looks, budget, tx.now)
        if twin is not None:
            due = min(schedule.may_look(looks, budget, tx.now), math.inf if due is None else due)
        self._due = math.inf if due is None else due
        if due is None or due > tx.now or self._looking or not tx.take_turn(self._owner):
            return None
        tx.spend("look")
        if twin is not None:
            return Plan(twin, waiting)
        known = listing.read_map(tx.note("map"))
        call = listing.next_call(waiting, known, schedule.aim(waiting, looks, tx.now))
        tx.put_note("map", known.as_json())
        return Plan(call, waiting)

    def _tell(self, tx: Tx) -> None:
        states = tx.states(self._watches)
        refused = tx.note("refused")
        for name, group in self._watches.items():
            stopped = refused is not None and refused["at"] >= self._began[name]
            if stopped or (name in states and states[name] != self._told[name]):
                self._told[name] = states.get(name)
                for watch in group:
                    watch.news.set()

    async def _look(self, plan: Plan) -> None:
        try:
            await self._see(plan)
        except Unusable as fault:
            log.warning("What was seen cannot be kept: %s", fault)
        except HITLError as fault:  # the next look is due all the same; a wait outlives this
            log.info("A look at the HITL.sh cloud failed: %s", fault)
        finally:
            self._looking = False
            self._due = -math.inf
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await self._end_turn()

    async def _end_turn(self) -> None:
        try:
            await self._metered.transaction(lambda tx: tx.end_turn(self._owner))
        except Unusable as fault:
            log.info("The turn ends by itself: %s", fault)

    async def _see(self, plan: Plan) -> None:
        call, now = plan.call, self._metered.clock()
        try:
            if isinstance(call, Twin):
                await self._twins.learn(call, await self._metered.counted(self._twins.call(call)))
            elif isinstance(call, Page):
                told = await self._metered.counted(page_call(newest=call.newest, offset=call.offset))
                await self._metered.transaction(lambda tx: self._see_page(tx, plan, call, told))
            else:
                told = await self._metered.counted(request_call(call.request_id))
                await self._metered.transaction(lambda tx: self._see_one(tx, plan, call, told))
        except (NotFound, NotAllowed):
            if isinstance(call, Get):
                await self._metered.transaction(lambda tx: self._see_none(tx, call, now))
        except NotAuthorised as refused:
            words = {"at": self._metered.clock(), "words": refused.message}
            await self._metered.transaction(lambda tx: tx.put_note("refused", words))

    def _see_one(self, tx: Tx, plan: Plan, call: Get, told: Told) -> None:
        self._learn(tx, plan, call, [], None)
        try:
            seen = tx.seen(call.request_id)
            item = request_part(told.data, call.request_id)
            Twins.settle(tx, read_request(item, seen.request if seen else None), told.sent)
        except ContractBroken as fault:
            tx.covered(call.request_id, told.sent)
            log.warning("Request %s: %s", call.request_id, fault)

    def _see_none(self, tx: Tx, call: Get, sent: float) -> None:
        self._learn(tx, Plan(call, []), call, [], None)
        tx.gone(call.request_id, sent)

    def _see_page(self, tx: Tx, plan: Plan, call: Page, told: Told) -> None:
        items = items_of(told.data)
        waited = {waiter.request_id for waiter in plan.waiting}
        shy: list[str] = []
        for item in items:
            name = item["id"]
            if name not in waited:
                continue
            if not says_enough(item):
                shy.append(name)
                continue
            seen = tx.seen(name)
            try:
                Twins.settle(tx, read_request(item, seen.request if seen else None), told.sent)
            except ContractBroken as fault:
                shy.append(name)
                log.warning("Request %s: %s", name, fault)
        places = [Item(item["id"], time_of(item) or 0.0) for item in items]
        self._learn(tx, plan, call, places, total_of(told.data), shy)

    @staticmethod
    def _learn(
        tx: Tx, plan: Plan, call: Get | Page, items: list[Item], total: int | None, shy: list[str] | None = None
    ) -> None:
        known = listing.read_map(tx.note("map"))
        listing.learn(known, call, items, total, plan.waiting)
        known.single += [name for name in shy or () if name not in known.single]
        tx.put_note("map", known.as_json())

    async def _leave(self) -> None:
        """Nobody waits here any more."""
        self._renewed = -math.inf, frozenset()
        try:
            await self._metered.transaction(lambda tx: tx.renew(self._owner, []))
        except Unusable as fault:
            log.info("The lease ends by itself: %s", fault)


def with_delivery(request: ReviewRequest, at: float | None) -> ReviewRequest:
    """The same request, with when an agent first had its decision."""
    if at is None:
        return request
    return request.model_copy(update={"first_delivered_at": datetime.fromtimestamp(at, UTC)})


def _told(seen: Seen, request_id: str) -> ReviewRequest:
    if seen.request is None:
        raise NotFound(
            f"The HITL.sh cloud has no request {request_id} any more, or not for this key. It is NOT approved"
        )
    return seen.request
