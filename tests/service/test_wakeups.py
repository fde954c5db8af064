"""A lost wake-up costs time, never a decision (D7, H21)."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import Created, ReviewRequest
from hitl_mcp.contract.states import Status
from hitl_mcp.sdk import AsyncHITLClient
from hitl_mcp.service.store import Notice
from tests.service.proxy import Proxy, proxied
from tests.service.stage import Place, Stage, stage
from tests.world import WAIT, eventually, settled

pytestmark = pytest.mark.anyio

LONG = 40.0


class DeafBroker:
    """Drops every wake-up: only the slow net is left."""

    def publish(self, notices: list[Notice]) -> None:
        """Nobody is told."""

    async def wait(self, seconds: float) -> None:
        """Nothing ever comes."""
        await anyio.sleep(seconds)


async def decided(client: AsyncHITLClient, created: Created, into: list[ReviewRequest]) -> None:
    """Wait for a decision."""
    into.append(await client.wait_for_decision(created.request, LONG))


async def test_with_every_wake_up_dropped_all_decisions_still_arrive(place: Place) -> None:
    async with stage(place, broker=DeafBroker()) as on:
        watched, polled = await on.ask_approval("watched"), await on.ask_approval("polled")
        withdrawn = await on.ask_approval("withdrawn")
        results: list[ReviewRequest] = []
        answers: list[object] = []

        async def poll() -> None:
            answer = await on.wire.send("GET", routes.REQUEST_WAIT.format(request_id=polled.request_id) + "?timeout=15")
            answers.append((answer.status, answer.data["response_data"]))

        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(decided, on.agent, watched, results)
                tasks.start_soon(decided, on.agent, withdrawn, results)
                tasks.start_soon(poll)
                await settled()
                await on.reviewer.answer(watched.request_id, "approve")
                await on.reviewer.answer(polled.request_id, "reject")
                await on.agent.cancel_request(withdrawn.request_id)
        assert sorted(request.status for request in results) == [Status.CANCELLED, Status.COMPLETED]
        assert answers == [(200, "reject")]


async def streaming(proxy: Proxy, count: int = 1) -> None:
    """Wait until so many streams have been opened."""

    async def opened() -> bool:
        return proxy.streams >= count

    await eventually(opened)


async def test_waiters_outlive_a_stream_that_is_cut_again_and_again(place: Place) -> None:
    async with stage(place) as on, proxied(on.found) as (proxy, client):
        asked = [await on.ask_approval(f"question {number}") for number in range(6)]
        results: list[ReviewRequest] = []
        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                for created in asked:
                    tasks.start_soon(decided, client, created, results)
                for count, created in enumerate(asked, start=1):
                    await streaming(proxy, count)
                    await proxy.cut()
                    await on.reviewer.answer(created.request_id, "approve")
        assert [request.decision for request in results] == ["approved"] * len(asked)


async def test_a_decision_made_while_the_line_was_dead_is_told_when_it_is_back(place: Place) -> None:
    async with stage(place) as on, proxied(on.found) as (proxy, client):
        created = await on.ask_approval()
        results: list[ReviewRequest] = []
        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(decided, client, created, results)
                await streaming(proxy)
                proxy.refusing = True
                await proxy.cut()
                await on.reviewer.answer(created.request_id, "needs_changes")
                await settled()
                assert results == []
                proxy.refusing = False
        assert [request.decision for request in results] == ["needs_changes"]


async def test_a_delayed_and_stammering_stream_does_no_harm(place: Place) -> None:
    async with stage(place) as on, proxied(on.found) as (proxy, client):
        asked = [await on.ask_approval(f"question {number}") for number in range(3)]
        results: list[ReviewRequest] = []
        proxy.times = 3
        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                for created in asked:
                    tasks.start_soon(decided, client, created, results)
                await streaming(proxy)
                proxy.set(silent=True)
                for created in asked:
                    await on.reviewer.do(routes.REQUEST_CLAIM, created.request_id)
                    await on.reviewer.answer(created.request_id, "reject")
                proxy.set(silent=False)
        assert [request.decision for request in results] == ["rejected"] * len(asked)
        for created in asked:
            assert [entry["type"] for entry in await on.history(created.request_id)] == [
                "created", "claimed", "completed",
            ]  # fmt: skip


async def test_a_stream_that_is_open_but_silent_is_not_trusted(folder: Path) -> None:
    """Nothing comes over it any more, and no end either: the slow look at the log finds the decision."""
    async with stage(folder) as on, proxied(on.found) as (proxy, client):
        created = await on.ask_approval()
        results: list[ReviewRequest] = []
        with anyio.fail_after(LONG):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(decided, client, created, results)
                await streaming(proxy)
                proxy.set(silent=True)
                await on.reviewer.answer(created.request_id, "approve")
        assert [request.decision for request in results] == ["approved"]


async def test_what_the_stream_carries_is_what_a_read_says(place: Place) -> None:
    async with stage(place) as on:
        context = {"empty": None, "nested": {"none": None, "list": [None, 1]}, "ü": "🙂"}
        asked = [await on.ask_approval(context=context) for _ in range(2)]
        results: list[ReviewRequest] = []
        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                for created in asked:
                    tasks.start_soon(decided, on.agent, created, results)
                await settled()
                await on.reviewer.answer(asked[0].request_id, "approve", comment="Fine ‘as it is’")
                await on.agent.cancel_request(asked[1].request_id)
        for request in results:
            assert request == await on.agent.get_request(request.id)


async def positions(on: Stage, after: int) -> list[int]:
    """Where the log's entries stand after a position."""
    data = (await on.wire.send("GET", f"{routes.EVENTS}?after={after}")).data
    assert data["position"] == max([after, *(change["position"] for change in data["changes"])])
    return [change["position"] for change in data["changes"]]


async def test_the_log_can_be_read_on_from_any_position(place: Place) -> None:
    async with stage(place) as on:
        start = (await on.wire.send("GET", routes.EVENTS)).data["position"]
        for _ in range(3):
            await on.reviewer.answer((await on.ask_approval()).request_id, "approve")
        whole = await positions(on, start)
        assert whole == list(range(start + 1, start + 7))
        for position in whole:
            assert await positions(on, position) == list(range(position + 1, start + 7))
