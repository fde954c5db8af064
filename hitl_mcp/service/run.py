"""Runs one service: storage, sockets, application, and the tasks beside it (D13)."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Protocol

import anyio
import anyio.abc
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from hitl_mcp import __version__
from hitl_mcp.contract import local as derive
from hitl_mcp.contract.local import CONTRACT_VERSION, ServiceState
from hitl_mcp.service import people, sessions, tokens
from hitl_mcp.service.broker import Broker
from hitl_mcp.service.clock import Clock, wall_clock
from hitl_mcp.service.context import Keys, Presence, Services
from hitl_mcp.service.feed import Feed
from hitl_mcp.service.lifecycle import Lifecycle
from hitl_mcp.service.local.folder import DataFolder
from hitl_mcp.service.local.idle import end_when_idle
from hitl_mcp.service.local.socket import internal, listen, listen_at
from hitl_mcp.service.notify.announcer import announce_questions
from hitl_mcp.service.notify.browser import BrowserOpener
from hitl_mcp.service.notify.desktop import Desktop
from hitl_mcp.service.notify.mail import mail_at
from hitl_mcp.service.notify.people import MESSAGE
from hitl_mcp.service.notify.sender import MessageSender
from hitl_mcp.service.operating.daily import Daily
from hitl_mcp.service.operating.metrics import Measured, Metrics
from hitl_mcp.service.operating.retention import Retention
from hitl_mcp.service.outbox.base import Sender
from hitl_mcp.service.outbox.courier import Courier
from hitl_mcp.service.outgoing.guard import Outgoing
from hitl_mcp.service.storage import Storage, open_storage
from hitl_mcp.service.store import Store
from hitl_mcp.service.timers import Timers
from hitl_mcp.service.web.app import create_app
from hitl_mcp.service.web.logs import LoggedRequests
from hitl_mcp.service.web.origins import networks
from hitl_mcp.service.web.protocol import BoundedProtocol
from hitl_mcp.service.webhooks import allowed
from hitl_mcp.service.webhooks.fan_out import KIND
from hitl_mcp.service.webhooks.sender import WebhookSender
from hitl_mcp.settings import Settings, can_show_a_browser, has_session_bus, listed

log = logging.getLogger(__name__)

DOWN_SECONDS = 5.0
"""Sessions on one machine end when the service was down for longer (H14)."""
ALIVE_SECONDS = 1.0
FETCHES = 4
"""Creates that fetch images at the same time; each may hold 20 MiB."""
SERVE = "serve"
"""Who hosts a team's server: `hitl-mcp serve`. It does not end by itself and has no desktop."""
CONSOLE = "console"
"""A command at the terminal of a shared database, for as long as it runs."""
SERVE_PORT = 8000


class Mounted(Protocol):
    """An application that the service serves beside its own, such as MCP over HTTP."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        ...

    async def drain(self) -> None:
        """Let every call that waits return, while the API still answers."""
        ...


Mount = Callable[[Keys], AbstractAsyncContextManager[Mounted]]


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals belong to the process that hosts the service (H34)."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@dataclass(frozen=True, slots=True)
class _Sockets:
    listening: list[socket]
    port: int
    internal_port: int
    moved: bool


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    hosted_by: str,
    clock: Clock = wall_clock,
    broker: Broker | None = None,
    mount: Mount | None = None,
) -> AsyncGenerator[Services]:
    """A service, for as long as the block runs.

    Args:
        settings: storage, addresses and how people are told.
        hosted_by: `background`, `stdio`, `serve` or `console`; shown by `hitl-mcp status`.
        clock: milliseconds since 1970.
        broker: wake-ups; by default those of the storage.
        mount: makes MCP over HTTP.

    Raises: NotConfigured, with words for a person, when it cannot run here.
    """
    mail = mail_at(settings.smtp_url.get_secret_value() if settings.smtp_url is not None else None)
    async with AsyncExitStack() as stack:
        storage = await open_storage(stack, settings, clock, broker)
        store, folder = storage.store, storage.folder
        sockets = _open_sockets(stack, settings, folder, hosted_by)
        account = await store.write(people.local_account)
        secret = folder.secret if folder is not None else await store.write(people.server_secret)
        alone = folder is not None and hosted_by != SERVE
        if folder is not None and alone and (sockets.moved or _down_seconds(folder) > DOWN_SECONDS):
            await store.write(sessions.end_all)
        if alone:
            await store.write(lambda tx: tokens.end_all_of(tx, account.api_key_id))

        store.on_commit(storage.broker.publish)
        feed = Feed(store, storage.broker)
        await feed.start()
        lifecycle = Lifecycle(store, client_answers=alone, has_desktop=alone)
        timers = Timers(lifecycle, storage.clock)
        is_team = hosted_by == SERVE and settings.public_url is not None
        keys = _keys(secret, sockets, settings, has_folder=folder is not None, is_team=is_team)
        opener = BrowserOpener(
            store, account.user_id, keys.inbox_origin, settings.data_dir / "open",
            usable=alone and can_show_a_browser(),
        )  # fmt: skip
        stack.callback(opener.clean)
        stopping, metrics = anyio.Event(), Metrics(store)
        outgoing, allow = await _outgoing(stack, store, settings)
        services = Services(
            store=store, lifecycle=lifecycle, feed=feed, clock=storage.clock, account=account, keys=keys,
            presence=Presence(), started_at=storage.clock(), hosted_by=hosted_by, stopping=stopping,
            open_inbox=opener.open, outgoing=outgoing, allow_outgoing=None if folder is None else allow,
            fetching=anyio.Semaphore(FETCHES), metrics=metrics, daily=_daily(settings, storage),
            warnings=list(storage.warnings), rate_limit=settings.rate_limit, loop_aliases=settings.aliases,
            cors_origins=listed(settings.cors_origins), database=storage.database, back_up=storage.back_up,
            locales=settings.locales,
            mail=mail, trusted_proxies=networks(listed(settings.trusted_proxies)),
        )  # fmt: skip
        await timers.tick()  # overdue requests are closed before anybody can see them open

        courier = _courier(services, storage) if hosted_by != CONSOLE else None
        mcp = await stack.enter_async_context(mount(keys)) if mount is not None else None
        app: ASGIApp = Measured(create_app(services, mcp), metrics.process)
        server = _server(LoggedRequests(app, services.trusted_proxies) if hosted_by == SERVE else app)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed.run)
            tasks.start_soon(timers.run)
            if courier is not None:
                tasks.start_soon(courier.run, stopping)
            if hosted_by != CONSOLE:
                tasks.start_soon(services.daily.run)
            if storage.listen is not None:
                tasks.start_soon(storage.listen)
            if folder is not None:
                tasks.start_soon(_stay_alive, folder.alive_file)
            if alone:
                _start_desktop(tasks, services, settings)
            serving = anyio.Event()
            tasks.start_soon(_serve, server, sockets.listening, serving, stopping)
            tasks.start_soon(_end_on, stopping, server, feed, mcp)
            if folder is not None:
                _publish(folder, keys, hosted_by)
            try:
                yield services
            finally:
                if folder is not None:
                    _withdraw(folder, keys)
                stopping.set()
                with anyio.move_on_after(15 if mcp is not None else 3, shield=True):
                    await serving.wait()
                    if courier is not None:
                        await courier.ended.wait()
                tasks.cancel_scope.cancel()


def _daily(settings: Settings, storage: Storage) -> Daily:
    retention = None
    if settings.retention_days is not None:
        folder = settings.retention_dir or settings.data_dir / "archive"
        retention = Retention(storage.store, settings.retention_days, settings.retention, folder)
    outside = settings.anchor_dir or (storage.folder.path if storage.folder is not None else None)
    return Daily(storage.store, outside, retention)


def _open_sockets(stack: AsyncExitStack, settings: Settings, folder: DataFolder | None, hosted_by: str) -> _Sockets:
    """A server's own address and a loopback port for the process itself; else one loopback port."""
    if hosted_by == SERVE or folder is None:
        opened = [listen_at(settings.host, settings.port or SERVE_PORT)] if hosted_by == SERVE else []
        opened.append(internal())
        for one in opened:
            stack.callback(one.close)
        ports = [one.getsockname()[1] for one in opened]
        return _Sockets(opened, ports[0], ports[-1], moved=False)
    listening = listen(folder, settings.port)
    stack.callback(listening.socket.close)
    return _Sockets([listening.socket], listening.port, listening.port, listening.moved)


async def _outgoing(
    stack: AsyncExitStack, store: Store, settings: Settings
) -> tuple[Outgoing, Callable[[list[str]], None]]:
    """The guard over the operator's list, and what puts another list of the machine's user beside it."""
    named = listed(settings.outgoing_allow)
    outgoing = Outgoing([*named, *await store.read(allowed.kept)])
    stack.push_async_callback(outgoing.aclose)
    return outgoing, lambda entries: outgoing.allow([*named, *entries])


def _courier(services: Services, storage: Storage) -> Courier:
    """Sends what was put into the outbox; on a folder of its own nobody else does."""
    senders: dict[str, Sender] = {
        MESSAGE: MessageSender(services),
        KIND: WebhookSender(services.store, services.outgoing),
    }
    courier = Courier(services.store, services.clock, senders, alone=storage.folder is not None)
    storage.on_posted(courier.others_put)
    return courier


def _start_desktop(tasks: anyio.abc.TaskGroup, services: Services, settings: Settings) -> None:
    """What a service on somebody's own machine does: end when unused, and make the person notice."""
    tasks.start_soon(end_when_idle, services, settings.idle_seconds)
    desktop = Desktop(has_bus=has_session_bus()) if settings.notify else None
    if desktop is not None or settings.open_browser:
        announce = lambda: announce_questions(services, desktop, open_browser=settings.open_browser)  # noqa: E731
        tasks.start_soon(announce)


def _keys(secret: bytes, sockets: _Sockets, settings: Settings, *, has_folder: bool, is_team: bool) -> Keys:
    instance = secrets.token_hex(8)
    host = "localhost" if settings.inbox_host == "localhost" else derive.inbox_host(secret)
    return Keys(
        agent=derive.agent_key(secret, instance) if has_folder else None,
        console=derive.console_key(secret, instance),
        proof_secret=secret,
        instance=instance,
        port=sockets.port,
        inbox_host=host,
        public_url=settings.public_url,
        internal_port=sockets.internal_port,
        allowed_hosts=frozenset(name.lower() for name in listed(settings.allowed_hosts)),
        is_team=is_team,
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
        timeout_keep_alive=75, proxy_headers=False, http=BoundedProtocol,
    )  # fmt: skip
    return _Server(config)


async def _serve(server: _Server, sockets: list[socket], ended: anyio.Event, stopping: anyio.Event) -> None:
    try:
        await server.serve(sockets=sockets)
    finally:
        ended.set()
        stopping.set()  # a service that cannot be reached must not hold the folder


async def _end_on(stopping: anyio.Event, server: _Server, feed: Feed, mcp: Mounted | None) -> None:
    await stopping.wait()
    if mcp is not None:  # calls that wait get their handle, for which the API must still answer
        await mcp.drain()
    feed.close()
    server.should_exit = True


def _publish(folder: DataFolder, keys: Keys, hosted_by: str) -> None:
    state = ServiceState(
        pid=os.getpid(), port=keys.internal_port, instance=keys.instance, version=__version__,
        contract=CONTRACT_VERSION, started_at=time.time(), hosted_by=hosted_by, inbox=keys.public_address,
    )  # fmt: skip
    fresh = folder.state_file.with_suffix(".new")
    fresh.write_text(state.model_dump_json(), encoding="utf-8")
    fresh.replace(folder.state_file)


def _withdraw(folder: DataFolder, keys: Keys) -> None:
    with contextlib.suppress(OSError, ValueError):
        if ServiceState.model_validate_json(folder.state_file.read_bytes()).instance == keys.instance:
            folder.state_file.unlink()


Ready = Callable[[Services], None]


async def run_until_told(settings: Settings, ready: Ready, *, hosted_by: str, mount: Mount | None = None) -> None:
    """Serve until told to end, by request, by signal, or when idle.

    Args:
        ready: called once others can connect.
    """

    async with running(settings, hosted_by=hosted_by, mount=mount) as services, anyio.create_task_group() as tasks:

        async def on_signal(*, task_status: anyio.abc.TaskStatus[None]) -> None:
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                task_status.started()
                async for _ in signals:
                    services.stop()

        if sys.platform != "win32":
            await tasks.start(on_signal)
        ready(services)
        await services.stopping.wait()
        tasks.cancel_scope.cancel()
