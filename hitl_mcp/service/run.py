"""Runs one local service: lock, store, socket, application, and the tasks beside it (D13)."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import uvicorn
from starlette.types import ASGIApp

from hitl_mcp import __version__
from hitl_mcp.contract import local as derive
from hitl_mcp.contract.local import CONTRACT_VERSION, ServiceState
from hitl_mcp.service import people
from hitl_mcp.service.app import create_app
from hitl_mcp.service.broker import Broker
from hitl_mcp.service.broker.local import LocalBroker
from hitl_mcp.service.clock import Clock, wall_clock
from hitl_mcp.service.context import Keys, Presence, Services
from hitl_mcp.service.feed import Feed
from hitl_mcp.service.lifecycle import Lifecycle
from hitl_mcp.service.local.folder import DataFolder, disk_warnings, open_folder, take_lock
from hitl_mcp.service.local.idle import end_when_idle
from hitl_mcp.service.local.socket import Listening, listen
from hitl_mcp.service.notify.announcer import announce_questions
from hitl_mcp.service.notify.browser import BrowserOpener
from hitl_mcp.service.notify.desktop import Desktop
from hitl_mcp.service.store.sqlite import SQLiteStore
from hitl_mcp.service.timers import Timers
from hitl_mcp.settings import Settings, can_show_a_browser, has_session_bus

log = logging.getLogger(__name__)

DOWN_SECONDS = 5.0
"""Sessions end when the service was down for longer (H14)."""
ALIVE_SECONDS = 1.0
DRAIN_SECONDS = 0.5


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals belong to the process that hosts the service (H34)."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    hosted_by: str,
    clock: Clock = wall_clock,
    broker: Broker | None = None,
) -> AsyncGenerator[Services]:
    """The local service of a data folder, for as long as the block runs.

    Args:
        settings: folder, port and how people are told.
        hosted_by: `background` or `stdio`; shown by `hitl-mcp status`.
        clock: milliseconds since 1970.
        broker: wake-ups; by default those of this process.

    Raises: NotConfigured, with words for a person, when it cannot run here.
    """
    async with AsyncExitStack() as stack:
        folder = open_folder(settings.data_dir)
        lock = take_lock(folder)
        stack.callback(lock.release)
        warnings = disk_warnings(folder.path)
        for warning in warnings:
            log.warning("%s", warning)
        store = SQLiteStore(folder.database, clock, folder.backups)
        stack.callback(store.close, DRAIN_SECONDS)
        listening = listen(folder, settings.port)
        stack.callback(listening.socket.close)
        account = await store.write(people.local_account)
        if listening.moved or _down_seconds(folder) > DOWN_SECONDS:
            await store.write(people.end_sessions)

        bell = broker or LocalBroker()
        store.on_commit(bell.publish)
        feed = Feed(store, bell)
        await feed.start()
        lifecycle = Lifecycle(store)
        timers = Timers(lifecycle, clock)
        keys = _keys(folder, listening, settings)
        opener = BrowserOpener(
            store, account.user_id, keys.inbox_origin, folder.path / "open", usable=can_show_a_browser()
        )
        stack.callback(opener.clean)
        stopping = anyio.Event()
        services = Services(
            store=store, lifecycle=lifecycle, feed=feed, clock=clock, account=account, keys=keys, presence=Presence(),
            started_at=clock(), hosted_by=hosted_by, stopping=stopping, open_inbox=opener.open, warnings=warnings,
        )  # fmt: skip
        await timers.tick()  # overdue requests are closed before anybody can see them open

        server = _server(create_app(services))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed.run)
            tasks.start_soon(timers.run)
            tasks.start_soon(_stay_alive, folder.alive_file)
            tasks.start_soon(end_when_idle, services, settings.idle_seconds)
            desktop = Desktop(has_bus=has_session_bus()) if settings.notify else None
            if desktop is not None or settings.open_browser:
                announce = lambda: announce_questions(services, desktop, open_browser=settings.open_browser)  # noqa: E731
                tasks.start_soon(announce)
            serving = anyio.Event()
            tasks.start_soon(_serve, server, listening, serving, stopping)
            tasks.start_soon(_end_on, stopping, server, feed)
            _publish(folder, keys, hosted_by)
            try:
                yield services
            finally:
                _withdraw(folder, keys)
                stopping.set()
                with anyio.move_on_after(3, shield=True):
                    await serving.wait()
                tasks.cancel_scope.cancel()


def _keys(folder: DataFolder, listening: Listening, settings: Settings) -> Keys:
    instance = secrets.token_hex(8)
    host = "localhost" if settings.inbox_host == "localhost" else derive.inbox_host(folder.secret)
    return Keys(
        agent=derive.agent_key(folder.secret, instance),
        console=derive.console_key(folder.secret, instance),
        proof_secret=folder.secret,
        instance=instance,
        port=listening.port,
        inbox_host=host,
    )


def _down_seconds(folder: DataFolder) -> float:
    try:
        return abs(time.time() - folder.alive_file.stat().st_mtime)
    except OSError:
        return float("inf")


async def _stay_alive(path: Path) -> None:
    while True:
        with contextlib.suppress(OSError):
            path.touch(mode=0o600)  # noqa: ASYNC240  # a touch of a local file
        await anyio.sleep(ALIVE_SECONDS)


def _server(app: ASGIApp) -> _Server:
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, server_header=False,
        timeout_keep_alive=75,
    )  # fmt: skip
    return _Server(config)


async def _serve(server: _Server, listening: Listening, ended: anyio.Event, stopping: anyio.Event) -> None:
    try:
        await server.serve(sockets=[listening.socket])
    finally:
        ended.set()
        stopping.set()  # a service that cannot be reached must not hold the folder


async def _end_on(stopping: anyio.Event, server: _Server, feed: Feed) -> None:
    await stopping.wait()
    feed.close()
    server.should_exit = True


def _publish(folder: DataFolder, keys: Keys, hosted_by: str) -> None:
    state = ServiceState(
        pid=os.getpid(), port=keys.port, instance=keys.instance, version=__version__, contract=CONTRACT_VERSION,
        started_at=time.time(), hosted_by=hosted_by,
    )  # fmt: skip
    fresh = folder.state_file.with_suffix(".new")
    fresh.write_text(state.model_dump_json(), encoding="utf-8")
    fresh.replace(folder.state_file)


def _withdraw(folder: DataFolder, keys: Keys) -> None:
    with contextlib.suppress(OSError, ValueError):
        if ServiceState.model_validate_json(folder.state_file.read_bytes()).instance == keys.instance:
            folder.state_file.unlink()


Ready = Callable[[], None]


async def run_background(settings: Settings, ready: Ready) -> None:
    """The background process: serve until told to end, by request, by signal, or when idle.

    Args:
        ready: called once others can connect.
    """

    async with running(settings, hosted_by="background") as services, anyio.create_task_group() as tasks:
        ready()

        async def on_signal() -> None:
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for _ in signals:
                    services.stop()

        if sys.platform != "win32":
            tasks.start_soon(on_signal)
        await services.stopping.wait()
        tasks.cancel_scope.cancel()
