"""Wake-ups between processes over PostgreSQL's NOTIFY (D7, H25).

The store announces inside its transactions; here is the ear: one direct connection that listens (a pooler would break
it). It hears its own heartbeat, because a connection whose peer has died without a word looks like one where nothing
happens.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

import anyio
import asyncpg

from hitl_mcp.backoff import pause
from hitl_mcp.service.broker.local import LocalBroker
from hitl_mcp.service.store.base import Notice
from hitl_mcp.service.store.connect import CHANNEL, OUTBOX, connect

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
MAX_BACKOFF_SECONDS = 5.0
_BEAT = "beat"


class PostgresBroker:
    """The `Broker` of a service that shares its database with others. `run` does the listening.

    Args:
        url: the database; directly, not through a pooler.
        origin: of the store of this process, whose commits are published here already and need no second wake-up.
        heartbeat_seconds: how often the connection is tried; one that is dead is found within twice that.

    Attributes:
        listening: whether announcements of other processes are heard right now.
    """

    def __init__(self, url: str, *, origin: str = "", heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._url = url
        self._origin = origin
        self._seconds = heartbeat_seconds
        self._here = LocalBroker()
        self._on_posted: list[Callable[[], None]] = []
        self.listening = False

    def on_posted(self, listener: Callable[[], None]) -> None:
        """Call `listener` when another process may have put something into the outbox."""
        self._on_posted.append(listener)

    def _posted(self) -> None:
        for listener in self._on_posted:
            listener()

    def publish(self, notices: list[Notice]) -> None:
        """See `Broker`. Other processes are told by the transaction itself."""
        self._here.publish(notices)

    async def wait(self, seconds: float) -> None:
        """See `Broker`."""
        await self._here.wait(seconds)

    async def run(self) -> None:
        """Listen until cancelled; connect again whenever the connection is lost."""
        failures = 0
        while True:
            try:
                await self._listen()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                failures = 0 if self.listening else failures + 1
                log.warning("Announcements of other processes are not heard: %s", error or type(error).__name__)
            self.listening = False
            self._here.publish([])  # whoever waits looks once more: something may have gone unheard
            await anyio.sleep(pause(0.1, failures, MAX_BACKOFF_SECONDS))

    async def _listen(self) -> None:
        """Hear announcements until the connection is lost. Raises: what the driver raises, TimeoutError."""
        token = f"{_BEAT} {secrets.token_hex(4)}"
        heard, gone = anyio.Event(), anyio.Event()

        def on_notification(_connection: object, _pid: int, _channel: str, payload: object) -> None:
            text = str(payload)
            if text == token:
                heard.set()
            elif not text.startswith(_BEAT) and text.partition(" ")[0] != self._origin:
                self._here.publish([])
                if OUTBOX in text.split(" "):
                    self._posted()

        connection = await connect(self._url)
        try:
            connection.add_termination_listener(lambda _: gone.set())
            await connection.add_listener(CHANNEL, on_notification)
            self.listening = True
            self._here.publish([])  # what was announced before this moment was not heard
            self._posted()
            while True:
                heard = anyio.Event()
                with anyio.fail_after(self._seconds):
                    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, token)
                    await heard.wait()
                with anyio.move_on_after(self._seconds):
                    await gone.wait()
                    raise ConnectionError("the database has closed the connection")
        finally:
            connection.terminate()
