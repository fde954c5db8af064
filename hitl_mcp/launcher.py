"""Finds the local service of a data folder, or starts it (D13).

Any number of clients may try at once: a lock in the folder lets one of them start it, the others find it. What answers
on the port is believed only with the folder's proof (H14). An older service is asked to end and started again by a
newer client; a newer one is used as long as it speaks the same contract (H27).
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread
from filelock import FileLock, Timeout

from hitl_mcp import __version__
from hitl_mcp.contract import local as derive
from hitl_mcp.contract import routes
from hitl_mcp.contract.local import SERVICE_LOCK, START_LOCK
from hitl_mcp.errors import HITLError, ServiceNotStarted, Unreachable
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.local import Found, ask, find, speaks_with
from hitl_mcp.settings import Settings, service_environment

START_SECONDS = 20.0
END_SECONDS = 5.0


class LocalService:
    """The `Resolver` of the local backend.

    Args:
        settings: which folder, and how the service is started.
        host: task group in which the service runs when no background process can be started; without one that is an
            error.
    """

    def __init__(self, settings: Settings, host: anyio.abc.TaskGroup | None = None) -> None:
        self._settings = settings
        self._host = host
        self._lock = anyio.Lock()
        self._current: Endpoint | None = None

    async def endpoint(self, failed: Endpoint | None = None) -> Endpoint:
        """See `Resolver`. Raises: NotConfigured, ServiceNotStarted."""
        async with self._lock:
            if self._current is None or self._current is failed:
                self._current = (await self.found_or_started()).endpoint()
            return self._current

    async def found_or_started(self) -> Found:
        """The running service of this folder, started when there is none."""
        async with self.during_a_command() as found:
            return found

    @contextlib.asynccontextmanager
    async def during_a_command(self) -> AsyncGenerator[Found]:
        """As `found_or_started`; and no server takes the folder over from a service just started for this block."""
        found = await find(self._settings.data_dir)
        if found is not None and not _too_old(found):
            yield found
            return
        try:
            lock = await start_lock(self._settings.data_dir)
        except Timeout as error:
            raise ServiceNotStarted(
                "Another process is starting the local service and does not get ready (lock in "
                f"{self._settings.data_dir}). See `hitl-mcp status`."
            ) from error
        try:
            found = await find(self._settings.data_dir)
            if found is not None and _too_old(found):
                await end(found)
                found = None
            yield found or await self._start()
        finally:
            lock.release()

    async def _start(self) -> Found:
        if self._settings.service != "in-process":
            try:
                with anyio.fail_after(START_SECONDS):
                    await anyio.to_thread.run_sync(_spawn, self._settings, abandon_on_cancel=True)
            except TimeoutError:
                raise ServiceNotStarted(
                    f"The local service does not get ready. Its log is {self._settings.data_dir / 'service.log'}."
                ) from None
            except OSError as error:
                if self._settings.service == "background" or self._host is None:
                    raise ServiceNotStarted(f"No background process can be started: {error}") from error
                await self._host_here(self._host)
        elif self._host is not None:
            await self._host_here(self._host)
        else:
            raise ServiceNotStarted(
                "HITL_SERVICE is in-process, so only an agent's own process hosts the service, and none does now. "
                "Start your MCP client, or unset HITL_SERVICE."
            )
        found = await find(self._settings.data_dir)
        if found is None:
            raise ServiceNotStarted(
                "The local service was started but does not answer. Its log is "
                f"{self._settings.data_dir / 'service.log'}."
            )
        return found

    async def _host_here(self, host: anyio.abc.TaskGroup) -> None:
        from hitl_mcp.service.run import running

        async def serve(*, task_status: anyio.abc.TaskStatus[str | None]) -> None:
            ready = False
            try:
                async with running(self._settings, hosted_by="stdio") as services:
                    ready = True
                    task_status.started(None)
                    await services.stopping.wait()
            except HITLError as error:
                if ready:
                    raise
                task_status.started(str(error))

        problem = await host.start(serve)
        if problem is not None:
            raise ServiceNotStarted(problem)


async def start_lock(folder: Path) -> FileLock:
    """Taken by whoever starts a service of the folder, until others can find it. It ends with its process.

    Raises: Timeout when another goes on starting one, ServiceNotStarted where the folder cannot be used.
    """
    lock = FileLock(folder / START_LOCK, thread_local=False)

    def take() -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(timeout=START_SECONDS)

    try:
        await anyio.to_thread.run_sync(take, abandon_on_cancel=True)
    except Timeout:  # an OSError too, so it comes first
        raise
    except OSError as error:
        raise ServiceNotStarted(derive.unusable(folder, error)) from error
    return lock


def _too_old(found: Found) -> bool:
    """Whether this client must replace the service: never a team's server, which others use.

    Raises: NotConfigured when the service is of a later contract.
    """
    speaks_with(found)
    return found.state.hosted_by != "serve" and derive.version_tuple(found.version) < derive.version_tuple(__version__)


async def end(found: Found) -> bool:
    """Ask the service to end and wait for it; True when it is gone."""
    with contextlib.suppress(Unreachable):
        await ask(found.console(), "POST", routes.STOP)
    lock = FileLock(found.folder / SERVICE_LOCK, timeout=0)
    with anyio.move_on_after(END_SECONDS):
        while True:
            try:
                lock.acquire()
            except Timeout:
                await anyio.sleep(0.02)
            else:
                lock.release()
                return True
    return False


def _spawn(settings: Settings) -> None:
    """Start the background process and return when it is ready.

    Its first line on stdout says that it is, or why it cannot be. It has no other handle of ours (H34).

    Raises: ServiceNotStarted with the service's own words; OSError when no process can be started.
    """
    flags: dict[str, Any] = {}
    if sys.platform == "win32":
        flags["creationflags"] = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        flags["start_new_session"] = True
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "hitl_mcp", "service"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=settings.data_dir,
        env=service_environment(settings),
        close_fds=True,
        **flags,
    ) as process:
        if process.stdout is None:
            raise OSError("no pipe to the service")
        line = process.stdout.readline()
    if not line:
        raise OSError(f"it ended while it started; its log is {settings.data_dir / 'service.log'}")
    said = json.loads(line)
    if said.get("error"):
        raise ServiceNotStarted(str(said["error"]))
