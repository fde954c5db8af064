"""Takes what is due out of the queue and has it sent: in order within a line, side by side over lines (D6, H23, H29).

Any number of processes may do so; a row belongs to who holds its lease. One receiver gets few calls at a time, and one
that is slow gets one, outside of the places of the others, so that nobody waits for it.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio
import anyio.abc
import anyio.lowlevel

from hitl_mcp.errors import ServiceFault
from hitl_mcp.service.clock import Clock
from hitl_mcp.service.outbox import taking
from hitl_mcp.service.outbox.base import Delivery, Outcome, Sender
from hitl_mcp.service.outbox.taking import Attempt, Taken
from hitl_mcp.service.store.base import Notice, Store, Tx

log = logging.getLogger(__name__)

WORKERS = 64
PER_TARGET = 4
SLOW_SECONDS = 3.0
"""An attempt that takes longer no longer holds one of the workers' places."""
MOST_SLOW = 128
RECHECK_SECONDS = 5.0
TICK_SECONDS = 1.0
"""How often the wall clock is read again while something is due later."""
OTHERS_SECONDS = 0.1
"""What another process has put in it takes at once itself, as a rule; this is how long it has for that."""
DRAIN_SECONDS = 2.0
FAULT_SECONDS = 1.0


@dataclass(slots=True, eq=False)
class _Running:
    delivery: Delivery
    started: float = field(default_factory=time.monotonic)

    def is_slow(self) -> bool:
        return time.monotonic() - self.started > SLOW_SECONDS


class Courier:
    """Sends what is due, for as long as it runs.

    Args:
        store: where the queue is.
        clock: milliseconds since 1970.
        senders: by kind; rows of other kinds are left alone.
        alone: no other process takes from this queue, so leases from before this run hold nobody.
        workers: attempts at the same time, the slow ones not counted.
        per_target: of them to one receiver.

    Attributes:
        ended: set once it has stopped and given back what it held.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        senders: Mapping[str, Sender],
        *,
        alone: bool,
        workers: int = WORKERS,
        per_target: int = PER_TARGET,
    ) -> None:
        self._store = store
        self._clock = clock
        self._senders = senders
        self._alone = alone
        self._workers = workers
        self._per_target = per_target
        self._due: dict[str, int] = {}
        self._running: set[_Running] = set()
        self._ended: list[Attempt] = []
        self._slow_targets: set[str] = set()
        self._woken = anyio.Event()
        self._look_at = 0.0
        self.ended = anyio.Event()
        store.on_commit(self._heard)

    def _heard(self, notices: list[Notice]) -> None:
        for notice in notices:
            if notice.target is not None:
                self._expect(notice.target, notice.due_at)

    def others_put(self) -> None:
        """Another process may have put something into the queue."""
        self._look_at = min(self._look_at, time.monotonic() + OTHERS_SECONDS)
        self._woken.set()

    def _expect(self, target: str, due: int) -> None:
        if due < self._due.get(target, due + 1):
            self._due[target] = due
        self._woken.set()

    async def run(self, stopping: anyio.Event) -> None:
        """Send until told to stop; then finish what is on its way, or give it back."""
        try:
            if self._alone:
                await self._kept_trying(taking.release_all)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._wake_on, stopping)
                while not stopping.is_set():
                    try:
                        await self._round(tasks)
                    except ServiceFault as fault:  # what was taken runs on; its results are written in a later round
                        log.warning("The outbox could not be read or written: %s", fault)
                        with anyio.move_on_after(FAULT_SECONDS):
                            await stopping.wait()
                        continue
                    await self._pause()
                await self._drain()
                tasks.cancel_scope.cancel()
        finally:
            self.ended.set()

    async def _kept_trying(self, unit: taking.Writes) -> None:
        try:
            await self._store.write(unit)
        except ServiceFault as fault:  # the leases run out by themselves
            log.warning("The outbox could not be written: %s", fault)

    async def _wake_on(self, stopping: anyio.Event) -> None:
        await stopping.wait()
        self._woken.set()

    async def _round(self, tasks: anyio.abc.TaskGroup) -> None:
        """Write what has ended, take what is due, and begin with it."""
        self._woken = anyio.Event()
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + RECHECK_SECONDS
            for target, due in (await self._store.read(self._due_by_target)).items():
                self._due[target] = min(due, self._due.get(target, due))
        ended, wanted = list(self._ended), self._wanted()
        if not ended and not wanted:
            return

        def unit(tx: Tx) -> tuple[dict[str, int], Taken]:
            again = taking.write_results(tx, ended, self._settled)
            return again, taking.take(tx, list(self._senders), wanted)

        for target in wanted:  # what is put in while the unit runs is expected anew
            del self._due[target]
        try:
            again, taken = await self._store.write(unit)
        except BaseException:
            for target in wanted:
                self._expect(target, 0)
            raise
        del self._ended[: len(ended)]
        for target, due in (*taken.next_due.items(), *again.items()):
            if due is not None:
                self._expect(target, due)
        for delivery in taken.deliveries:
            running = _Running(delivery)
            self._running.add(running)
            tasks.start_soon(self._attempt, running)

    def _due_by_target(self, tx: Tx) -> dict[str, int]:
        return taking.due_by_target(tx, list(self._senders))

    def _wanted(self) -> dict[str, int]:
        """For each target that may have something due and gets more calls now, how many."""
        slow = Counter(one.delivery.target for one in self._running if one.is_slow())
        busy = Counter(one.delivery.target for one in self._running)
        room = self._workers - len(self._running) + min(slow.total(), MOST_SLOW)
        now, wanted = self._clock(), dict[str, int]()
        for target in sorted(self._due, key=self._due.__getitem__):
            if room <= 0 or self._due[target] > now:
                break
            limit = 1 if slow[target] else self._limit(target)
            most = min(limit - busy[target], room)
            if most > 0:
                wanted[target] = most
                room -= most
        return wanted

    def _limit(self, target: str) -> int:
        return 1 if target in self._slow_targets else self._per_target

    async def _pause(self) -> None:
        """Wait for news, for the time when something is due, or for the next look around."""
        busy = Counter(one.delivery.target for one in self._running)
        waiting = [due for target, due in self._due.items() if busy[target] < self._limit(target)]
        seconds = max(0.0, self._look_at - time.monotonic())
        if waiting:
            seconds = min(seconds, max(0.0, (min(waiting) - self._clock()) / 1000), TICK_SECONDS)
        if self._running:
            seconds = min(seconds, TICK_SECONDS)  # some may have become slow
        if len(self._running) >= self._workers:
            seconds = max(seconds, 0.05)
        with anyio.move_on_after(seconds):
            await self._woken.wait()
        await anyio.lowlevel.checkpoint()  # others that end in this moment share the round

    async def _attempt(self, running: _Running) -> None:
        delivery = running.delivery
        sender, at = self._senders[delivery.kind], self._clock()
        try:
            try:
                outcome = await sender.send(delivery)
            except Exception as error:  # boundary: one delivery that meets a fault of ours must not end the others
                log.exception("A delivery met an unexpected fault")
                outcome = Outcome(False, excerpt=f"The service met a fault of its own ({type(error).__name__})")
            seconds = time.monotonic() - running.started
            mark = self._slow_targets.add if seconds > SLOW_SECONDS else self._slow_targets.discard
            mark(delivery.target)
            self._ended.append(Attempt(delivery, outcome, at, int(1000 * seconds), sender.schedule))
        finally:
            self._running.discard(running)
            self._woken.set()

    def _settled(self, tx: Tx, one: Attempt, given_up: bool) -> None:
        self._senders[one.delivery.kind].settled(tx, one.delivery, one.outcome, given_up)

    async def _drain(self) -> None:
        with anyio.move_on_after(DRAIN_SECONDS):
            while self._running:
                self._woken = anyio.Event()
                await self._woken.wait()
        ended, held = list(self._ended), [one.delivery for one in self._running]

        def unit(tx: Tx) -> None:
            taking.write_results(tx, ended, self._settled)
            if held:
                taking.release(tx, held)

        if ended or held:
            await self._kept_trying(unit)
