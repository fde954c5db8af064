"""When one connection of a pool has gone silent, the others of its time are not trusted either (H25).

Whatever lies between here and the database (a firewall that forgot, a host that died) drops all of them at once and
tells nobody. Finding it out costs seconds for each, so it is found out once.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine

_MADE_AT = "hitl_made_at"


class Lines:
    """The connections of a store's pools."""

    def __init__(self) -> None:
        self._silent_since = 0.0

    def silent_since(self, moment: float) -> None:
        """A connection did not answer from this moment on: the older ones are replaced before they are used again."""
        self._silent_since = max(self._silent_since, moment)

    def watch(self, engine: AsyncEngine) -> None:
        """Note when connections are made, and give none away that is not trusted."""
        event.listen(engine.sync_engine, "connect", self._made)
        event.listen(engine.sync_engine, "checkout", self._wanted)

    def _made(self, connection: Any, record: Any) -> None:
        record.info[_MADE_AT] = time.monotonic()

    def _wanted(self, connection: Any, record: Any, proxy: Any) -> None:
        if record.info[_MADE_AT] <= self._silent_since:
            connection.driver_connection.terminate()  # at once: nobody would answer a farewell
            raise DisconnectionError("a connection of that time has gone silent")
