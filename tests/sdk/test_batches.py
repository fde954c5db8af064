"""Many calls: bounded, in order, and no item's fault loses another's result."""

from __future__ import annotations

import anyio
import pytest

from hitl_mcp.errors import BatchFailed, NotFound
from hitl_mcp.sdk import batches

pytestmark = pytest.mark.anyio


async def test_no_more_are_under_way_than_asked_for_and_the_order_stays() -> None:
    under_way: list[int] = []
    most = 0

    async def one(item: int) -> int:
        nonlocal most
        under_way.append(item)
        most = max(most, len(under_way))
        for _ in range(10 - item):  # the later, the sooner done
            await anyio.lowlevel.checkpoint()
        under_way.remove(item)
        return item * item

    assert await batches.run(one, range(10), at_once=3) == [i * i for i in range(10)]
    assert most == 3


@pytest.mark.parametrize("at_once", [0, -1, 1])
async def test_at_least_one_is_under_way(at_once: int) -> None:
    async def one(item: int) -> int:
        return item

    assert await batches.run(one, [1, 2], at_once=at_once) == [1, 2]


async def test_nothing_is_done_at_once() -> None:
    async def one(item: int) -> int:
        raise AssertionError(item)

    assert await batches.run(one, []) == []


async def test_every_items_outcome_is_in_the_error_whatever_it_was() -> None:
    async def one(item: int) -> int:
        if item == 1:
            raise NotFound("There is no such loop")
        if item == 2:
            raise TypeError("not a question")
        return item

    seen: list[tuple[int, int]] = []
    with pytest.raises(BatchFailed, match="2 of 4 failed; the first: There is no such loop") as caught:
        await batches.run(one, range(4), on_progress=lambda done, of: seen.append((done, of)))
    assert caught.value.results[0] == 0
    assert isinstance(caught.value.results[1], NotFound)
    assert isinstance(caught.value.results[2], TypeError)
    assert caught.value.results[3] == 3
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


async def test_an_error_of_the_callers_own_progress_comes_out_as_it_is() -> None:
    async def one(item: int) -> int:
        return item

    def progress(done: int, of: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await batches.run(one, [1, 2], on_progress=progress)
