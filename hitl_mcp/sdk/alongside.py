"""Work that runs while a block runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio


@asynccontextmanager
async def alongside(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Run `work` until the block ends. The block's own error leaves as it is, where a task group would wrap it."""
    failed: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        try:
            yield
        except Exception as error:  # raised again below, outside of the group
            failed = error
        tasks.cancel_scope.cancel()
    if failed is not None:
        raise failed
