"""What a waiter may leave out, and what it must not: the look at a request whose making it has just been told (H21)."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from hitl_mcp.contract.states import Status
from tests.world import WAIT, World, eventually, world

pytestmark = pytest.mark.anyio


async def mark_of(here: World) -> int:
    """The client's mark, once its stream is open."""
    asked = await here.ask_approval("the first")
    with here.agent.watching(asked.request):

        async def known() -> bool:
            return here.agent.mark() is not None

        await eventually(known)
    mark = here.agent.mark()
    assert mark is not None
    return mark


async def test_without_a_mark_the_first_look_is_at_once(folder: Path) -> None:
    async with world(folder) as here:
        assert here.agent.mark() is None, "nothing was heard yet"
        asked = await here.ask_approval()
        with here.agent.watching(asked.request, here.agent.mark()) as watch:
            assert watch.news.is_set()
        await mark_of(here)
        with here.agent.watching(asked.request) as watch:
            assert watch.news.is_set()


async def test_what_was_just_made_is_not_read_again(folder: Path) -> None:
    async with world(folder) as here:
        mark = await mark_of(here)
        asked = await here.ask_approval()
        with here.agent.watching(asked.request, mark) as watch:
            assert not watch.news.is_set()


async def test_a_decision_that_was_heard_before_the_waiter_came_is_not_missed(folder: Path) -> None:
    async with world(folder) as here:
        mark = await mark_of(here)
        asked = await here.ask_approval()
        await here.reviewer.answer(asked.request_id, "approve")

        async def heard() -> bool:
            return here.agent.mark() != mark

        await eventually(heard)
        with anyio.fail_after(WAIT), here.agent.watching(asked.request, mark) as watch:
            assert await watch.changed(WAIT)
            assert watch.request.status is Status.COMPLETED


async def test_a_decision_that_is_heard_after_the_waiter_came_is_not_missed(folder: Path) -> None:
    async with world(folder) as here:
        mark = await mark_of(here)
        asked = await here.ask_approval()
        with anyio.fail_after(WAIT), here.agent.watching(asked.request, mark) as watch:
            await here.reviewer.answer(asked.request_id, "approve")
            assert await watch.changed(WAIT)
            assert watch.request.status is Status.COMPLETED
