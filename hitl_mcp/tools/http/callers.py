"""One desk for each API key: one client, one event stream for all its waiting calls."""

from __future__ import annotations

import time
from collections import OrderedDict

import anyio
import anyio.abc
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver.exceptions import ToolError

from hitl_mcp.sdk import AsyncHITLClient
from hitl_mcp.tools.desk import Desk
from hitl_mcp.tools.http.keys import ResolverFor, key_name

IDLE_SECONDS = 120.0
LOOK_SECONDS = 15.0
MAX_IDLE = 200
"""Desks without a call that are kept; those with one are never closed."""


class Callers:
    """The desks of all callers.

    Args:
        resolver_for: finds the backend as a key's owner.
        loop: the loop that questions go to when the agent names none.
        round_seconds: how long one request waits where a call can go on in another.
        tasks: runs the clients.
    """

    def __init__(
        self, resolver_for: ResolverFor, loop: str | None, round_seconds: float, tasks: anyio.abc.TaskGroup
    ) -> None:
        self._resolver_for = resolver_for
        self._loop = loop
        self._round_seconds = round_seconds
        self._tasks = tasks
        self._desks: OrderedDict[bytes, Desk] = OrderedDict()
        self._draining = False

    @property
    def busy(self) -> bool:
        """Whether any call is under way."""
        return any(desk.users for desk in self._desks.values())

    def desk(self) -> Desk:
        """The desk of whoever makes the current call."""
        credential = get_access_token()
        if credential is None:  # the door lets nobody in without one
            raise ToolError("This call carries no API key.")
        name = key_name(credential.token)
        desk = self._desks.get(name)
        if desk is None:
            self._close_idle(keep=MAX_IDLE)
            desk = self._opened(credential.token, credential.client_id)
            self._desks[name] = desk
        self._desks.move_to_end(name)
        return desk

    async def run(self) -> None:
        """Close desks that nobody has used for a while, until cancelled."""
        while True:
            await anyio.sleep(LOOK_SECONDS)
            self._close_idle(unused_since=time.monotonic() - IDLE_SECONDS)

    def drain(self) -> None:
        """From now on no call waits."""
        self._draining = True
        for desk in self._desks.values():
            desk.drain()

    async def aclose(self) -> None:
        """Close every desk."""
        async with anyio.create_task_group() as tasks:
            for desk in self._desks.values():
                tasks.start_soon(desk.aclose)
        self._desks.clear()

    def _opened(self, key: str, api_key_id: str) -> Desk:
        resolver = self._resolver_for(key)
        desk = Desk(
            lambda _: AsyncHITLClient.at(resolver),
            self._tasks,
            self._loop,
            merges=False,
            api_key_id=api_key_id,
            round_seconds=self._round_seconds,
        )  # H3: over HTTP nothing is merged implicitly
        if self._draining:
            desk.drain()
        return desk

    def _close_idle(self, *, keep: int = 0, unused_since: float = float("inf")) -> None:
        idle = [name for name, desk in self._desks.items() if not desk.users and desk.left_at < unused_since]
        for name in idle[: max(len(idle) - keep, 0)]:
            self._tasks.start_soon(self._desks.pop(name).aclose)
