"""Where a service keeps its requests: one SQLite file of a data folder, or a PostgreSQL shared by many processes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from hitl_mcp.errors import NotConfigured
from hitl_mcp.service.broker import Broker
from hitl_mcp.service.broker.local import LocalBroker
from hitl_mcp.service.clock import Clock, wall_clock
from hitl_mcp.service.local.folder import DataFolder, disk_warnings, open_folder, take_lock
from hitl_mcp.service.store import Store
from hitl_mcp.service.store.backup import back_up
from hitl_mcp.service.store.sqlite import SQLiteStore
from hitl_mcp.settings import Settings

log = logging.getLogger(__name__)

DRAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Storage:
    """What a running service stands on.

    Attributes:
        folder: the data folder; None on PostgreSQL, where nothing of this machine is used.
        listen: hears wake-ups of other processes until cancelled; None where there are none.
        clock: milliseconds since 1970, as the database counts them.
        on_posted: has a listener called when another process may have put something into the outbox.
    """

    store: Store
    broker: Broker
    clock: Clock
    folder: DataFolder | None
    database: str
    listen: Callable[[], Coroutine[Any, Any, None]] | None = None
    warnings: tuple[str, ...] = ()
    back_up: Callable[[Path], Awaitable[int]] | None = None
    on_posted: Callable[[Callable[[], None]], None] = lambda _: None


async def open_storage(
    stack: AsyncExitStack, settings: Settings, clock: Clock = wall_clock, broker: Broker | None = None
) -> Storage:
    """The storage that the settings mean, closed with `stack`. Raises: NotConfigured."""
    if settings.database_url is not None:
        return await _postgres(stack, settings.database_url.get_secret_value(), clock, broker)
    folder = open_folder(settings.data_dir)
    lock = take_lock(folder)
    stack.callback(lock.release)
    warnings = disk_warnings(folder.path)
    for warning in warnings:
        log.warning("%s", warning)
    store = SQLiteStore(folder.database, clock, folder.backups)
    stack.callback(store.close, DRAIN_SECONDS)

    async def copy(target: Path) -> int:
        return await anyio.to_thread.run_sync(back_up, folder.database, target)

    bell = broker or LocalBroker()
    return Storage(store, bell, clock, folder, "SQLite", warnings=tuple(warnings), back_up=copy)


async def _postgres(stack: AsyncExitStack, url: str, clock: Clock, broker: Broker | None) -> Storage:
    try:
        from hitl_mcp.service.broker.postgres import PostgresBroker
        from hitl_mcp.service.store.postgres import open_postgres
    except ImportError as error:
        raise NotConfigured(
            f"HITL_DATABASE_URL needs more packages ({error.name} is missing): pip install 'hitl-mcp-server[postgres]'"
        ) from error
    store = await open_postgres(url, None if clock is wall_clock else clock)
    stack.push_async_callback(store.aclose, DRAIN_SECONDS)
    bell = PostgresBroker(url, origin=store.origin)
    if broker is not None:
        return Storage(store, broker, store.now, None, "PostgreSQL")
    return Storage(store, bell, store.now, None, "PostgreSQL", listen=bell.run, on_posted=bell.on_posted)
