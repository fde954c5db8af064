"""What is put into the outbox leaves it: in order within a line, at least once, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from sqlalchemy import select

from hitl_mcp.service.clock import Clock, wall_clock
from hitl_mcp.service.outbox import queue
from hitl_mcp.service.outbox.base import SCHEDULE, Delivery, Outcome
from hitl_mcp.service.outbox.courier import Courier
from hitl_mcp.service.storage import Storage, open_storage
from hitl_mcp.service.store import Tx
from hitl_mcp.service.store.tables import attempts, deliveries
from tests.service.stage import Place
from tests.world import WAIT, SimulatedClock, eventually

pytestmark = pytest.mark.anyio

DONE = Outcome(True, status=200)
BUSY = Outcome(False, status=503, excerpt="busy")


@dataclass
class Receiver:
    """A sender whose receivers answer as a test says.

    Attributes:
        answer: what comes of an attempt; None never answers.
        sent: event ids in the order of their attempts.
    """

    answer: Callable[[Delivery], Outcome | None] = lambda _: DONE
    schedule: Sequence[float] = SCHEDULE
    sent: list[str] = field(default_factory=list[str])
    bodies: list[Delivery] = field(default_factory=list[Delivery])
    given_up: list[str] = field(default_factory=list[str])
    at_once: int = 0
    most_at_once: int = 0

    async def send(self, delivery: Delivery) -> Outcome:
        """One attempt."""
        self.sent.append(delivery.event_id)
        self.bodies.append(delivery)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await anyio.lowlevel.checkpoint()
            outcome = self.answer(delivery)
            if outcome is None:
                await anyio.sleep_forever()
            assert outcome is not None
            return outcome
        finally:
            self.at_once -= 1

    def settled(self, tx: Tx, delivery: Delivery, outcome: Outcome, given_up: bool) -> None:
        """Notes what was given up."""
        if given_up:
            self.given_up.append(delivery.event_id)


@asynccontextmanager
async def storage(place: Place, clock: Clock = wall_clock) -> AsyncGenerator[Storage]:
    """The place's database."""
    async with AsyncExitStack() as stack:
        yield await open_storage(stack, place.settings, clock)


@asynccontextmanager
async def courier(on: Storage, receiver: Receiver, *, alone: bool = False, **limits: int) -> AsyncGenerator[Courier]:
    """A courier at work; it is told to end, and does."""
    working = Courier(on.store, on.clock, {"webhook": receiver}, alone=alone, **limits)
    on.on_posted(working.others_put)
    stopping = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(working.run, stopping)
        try:
            yield working
        finally:
            stopping.set()
            with anyio.fail_after(WAIT):
                await working.ended.wait()


async def put(on: Storage, *names: str, target: str = "a", in_order: bool = False, **more: Any) -> None:
    """Something to be sent, one after another or each on its own."""

    def unit(tx: Tx) -> None:
        for name in names:
            queue.put(
                tx, kind="webhook", target=target, event_id=name, event="request.created", body="{}",
                in_order=in_order, **more,
            )  # fmt: skip

    await on.store.write(unit)


async def states(on: Storage) -> dict[str, str]:
    """Each delivery's state."""
    rows = await on.store.read(lambda tx: tx.connection.execute(select(deliveries)).all())
    return {row.event_id: row.state for row in rows}


async def all_in(on: Storage, state: str) -> None:
    """Wait until every delivery is in this state."""

    async def there() -> bool:
        return set((await states(on)).values()) == {state}

    await eventually(there)


async def test_what_is_put_is_sent_and_each_attempt_recorded(place: Place) -> None:
    receiver = Receiver()
    async with storage(place) as on, courier(on, receiver):
        await put(on, "e1", "e2", "e3", in_order=True)
        await all_in(on, "done")
        assert receiver.sent == ["e1", "e2", "e3"]
        tried = await on.store.read(lambda tx: tx.connection.execute(select(attempts)).all())
        assert [(row.delivery_id, row.status) for row in tried] == [(1, 200), (2, 200), (3, 200)]


async def test_what_was_put_while_nobody_sent_is_sent_at_the_start(place: Place) -> None:
    receiver = Receiver()
    async with storage(place) as on:
        await put(on, "e1")
        async with courier(on, receiver):
            await all_in(on, "done")
    assert receiver.sent == ["e1"]


async def test_a_line_stays_in_order_while_its_first_fails_and_others_go_on(place: Place) -> None:
    clock = SimulatedClock()
    failing = {"e1"}
    receiver = Receiver(lambda delivery: BUSY if delivery.event_id in failing else DONE)
    async with storage(place, clock) as on, courier(on, receiver):
        await put(on, "e1", "e2", in_order=True)
        await put(on, "other")
        await eventually(lambda: _recorded(on, 2))
        assert await states(on) == {"e1": "waiting", "e2": "waiting", "other": "done"}
        assert receiver.sent.count("e2") == 0
        failing.clear()
        clock.move(20)
        await all_in(on, "done")
    assert [name for name in receiver.sent if name != "other"] == ["e1", "e1", "e2"]


async def _are(on: Storage, expected: dict[str, str]) -> bool:
    return await states(on) == expected


async def test_the_documented_schedule_is_kept_then_the_line_goes_on_without_it(place: Place) -> None:
    clock = SimulatedClock()
    receiver = Receiver(lambda delivery: BUSY if delivery.event_id == "e1" else DONE)
    async with storage(place, clock) as on, courier(on, receiver) as working:
        await put(on, "e1", "e2", in_order=True)
        for number, pause in enumerate(SCHEDULE):
            if number:
                clock.move(0.85 * pause)
                working.others_put()
                await anyio.sleep(0.15)
                assert receiver.sent.count("e1") == number, "too early"
                clock.move(0.3 * pause)
                working.others_put()
            await eventually(lambda count=number + 1: _recorded(on, count))
        await eventually(lambda: _are(on, {"e1": "failed", "e2": "done"}))
        assert receiver.sent.count("e1") == len(SCHEDULE)
        assert receiver.given_up == ["e1"]


async def _recorded(on: Storage, count: int) -> bool:
    """Whether so many attempts have been written down."""
    return len(await on.store.read(lambda tx: tx.connection.execute(select(attempts)).all())) >= count


async def _tried(receiver: Receiver, count: int) -> bool:
    return receiver.sent.count("e1") >= count


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_what_cannot_succeed_is_given_up_at_once_and_retry_after_is_obeyed(place: Place) -> None:
    clock = SimulatedClock()
    answers = {"gone": Outcome(False, status=410, again=False), "later": Outcome(False, 429, after_seconds=600)}
    receiver = Receiver(lambda delivery: answers[delivery.event_id])
    async with storage(place, clock) as on, courier(on, receiver) as working:
        await put(on, "gone", "later")
        await eventually(lambda: _recorded(on, 2))
        assert await states(on) == {"gone": "failed", "later": "waiting"}
        clock.move(500)
        working.others_put()
        await anyio.sleep(0.15)
        answers["later"] = DONE
        assert receiver.sent.count("later") == 1
        clock.move(101)
        await eventually(lambda: _are(on, {"gone": "failed", "later": "done"}))


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_a_receiver_that_hangs_delays_nobody_and_gets_few_calls(place: Place) -> None:
    receiver = Receiver(lambda delivery: None if delivery.target == "hangs" else DONE)
    async with storage(place) as on, courier(on, receiver, workers=6, per_target=2):
        await put(on, *(f"h{number}" for number in range(20)), target="hangs")
        await put(on, *(f"w{number}" for number in range(50)), target="works")

        async def worked() -> bool:
            return sum(name.startswith("w") for name in receiver.sent) == 50

        await eventually(worked)
        assert sum(name.startswith("h") for name in receiver.sent) == 2
        assert receiver.most_at_once <= 4


async def test_two_couriers_share_the_work_and_nothing_is_sent_twice(place: Place) -> None:
    one, two = Receiver(), Receiver()
    async with storage(place) as on, courier(on, one), courier(on, two):
        for start in range(0, 60, 10):
            await put(on, *(f"e{number}" for number in range(start, start + 10)))
        await all_in(on, "done")
    assert sorted(one.sent + two.sent) == sorted(f"e{number}" for number in range(60))


async def test_who_ends_gives_back_what_it_could_not_finish(place: Place) -> None:
    stuck, next_one = Receiver(lambda _: None), Receiver()
    async with storage(place) as on:
        async with courier(on, stuck):
            await put(on, "e1")
            await eventually(lambda: _tried(stuck, 1))
        async with courier(on, next_one):
            await all_in(on, "done")
    assert next_one.sent == ["e1"]


async def test_a_lease_that_ran_out_is_taken_over_and_its_former_holder_writes_no_more(place: Place) -> None:
    clock = SimulatedClock()
    late = anyio.Event()

    class Late(Receiver):
        async def send(self, delivery: Delivery) -> Outcome:
            self.sent.append(delivery.event_id)
            await late.wait()
            return Outcome(False, status=500, again=False)

    frozen, other = Late(), Receiver()
    async with storage(place, clock) as on, courier(on, frozen):
        await put(on, "e1")
        await eventually(lambda: _tried(frozen, 1))
        async with courier(on, other) as working:
            await anyio.sleep(0.05)
            assert other.sent == []
            clock.move(61)
            working.others_put()
            await all_in(on, "done")
            late.set()
            await eventually(lambda: _recorded(on, 2))
        assert await states(on) == {"e1": "done"}
        assert frozen.given_up == []


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
async def test_what_another_process_puts_is_sent_at_once(place: Place) -> None:
    receiver = Receiver()
    async with storage(place) as here, storage(place) as there, courier(here, receiver):
        assert here.listen is not None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(here.listen)
            await anyio.sleep(0.3)
            sent = len(receiver.sent)
            await put(there, "e1")
            with anyio.fail_after(2):  # the slow net would take longer
                while len(receiver.sent) == sent:
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()


async def test_many_that_hang_leave_room_for_the_others(place: Place) -> None:
    """More dead receivers than places: what takes long gives its place to others."""
    receiver = Receiver(lambda delivery: None if delivery.target.startswith("dead") else DONE)
    async with storage(place) as on, courier(on, receiver, workers=4, per_target=2):
        for number in range(8):
            await put(on, f"d{number}", target=f"dead{number}")
        await put(on, "alive", target="works")

        async def arrived() -> bool:
            return "alive" in receiver.sent

        await eventually(arrived)
