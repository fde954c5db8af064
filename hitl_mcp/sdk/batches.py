"""Many calls: a bounded number at once, progress, and every item's outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

import anyio

from hitl_mcp.errors import BatchFailed

I = TypeVar("I")  # noqa: E741
T = TypeVar("T")

AT_ONCE = 8
Progress = Callable[[int, int], None]


async def run(
    one: Callable[[I], Awaitable[T]], items: Sequence[I], *, at_once: int = AT_ONCE, on_progress: Progress | None = None
) -> list[T]:
    """`one` for each item; the results in the items' order.

    Args:
        at_once: how many are under way at a time.
        on_progress: called with how many are done, and of how many, after each.

    Raises: BatchFailed with every item's result or error; what succeeded stays done.
    """
    results: list[T | Exception | None] = [None] * len(items)
    done = 0
    turns = anyio.Semaphore(max(at_once, 1))

    async def take(index: int, item: I) -> None:
        nonlocal done
        async with turns:
            try:
                results[index] = await one(item)
            except Exception as error:  # one item's fault must not lose what the others brought
                results[index] = error
        done += 1
        if on_progress is not None:
            on_progress(done, len(items))

    try:
        async with anyio.create_task_group() as tasks:
            for index, item in enumerate(items):
                tasks.start_soon(take, index, item)
    except ExceptionGroup as group:  # only `on_progress` raises here; its error ends the batch
        raise group.exceptions[0] from None
    if any(isinstance(result, Exception) for result in results):
        raise BatchFailed(cast("list[Any]", results))
    return cast("list[T]", results)
