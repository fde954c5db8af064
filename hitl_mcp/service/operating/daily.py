"""What is done once a day by whichever process comes first: an anchor of the event log, retention, pruning."""

from __future__ import annotations

import logging
from pathlib import Path

import anyio
from sqlalchemy import insert, select, update

from hitl_mcp.errors import ServiceFault
from hitl_mcp.service.operating import anchors, pruning
from hitl_mcp.service.operating.retention import Retention
from hitl_mcp.service.store import Store
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import facts

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
LOOK_SECONDS = 600.0
FIRST_SECONDS = 60.0
"""A service that is only looked at does none of it."""


class Daily:
    """The day's work.

    Args:
        store: where it is done, and where who does it is written.
        anchor_dir: where anchors are kept outside the database; None: nowhere.
        retention: what becomes of old requests; None: they stay.
    """

    def __init__(self, store: Store, anchor_dir: Path | None, retention: Retention | None) -> None:
        self._store = store
        self._anchor_dir = anchor_dir
        self.retention = retention

    @property
    def anchors_outside(self) -> bool:
        """Whether anchors are kept outside the database."""
        return self._anchor_dir is not None

    @property
    def anchor_file(self) -> Path | None:
        """The file of anchors outside the database."""
        return None if self._anchor_dir is None else self._anchor_dir / anchors.FILE

    async def run(self) -> None:
        """Look every ten minutes whether a new day has come, until cancelled."""
        await anyio.sleep(FIRST_SECONDS)
        while True:
            try:
                if await self._store.write(lambda tx: _claim(tx, "anchored")):
                    await self.anchor()
                if self.retention is not None and await self._store.write(lambda tx: _claim(tx, "retention")):
                    done = await self.retention.run()
                    log.info("Retention took the texts of %s requests", done)
                if await self._store.write(lambda tx: _claim(tx, "pruned")):
                    await self.prune()
            except (ServiceFault, OSError) as fault:
                log.warning("The day's work could not be finished: %s", fault)
            await anyio.sleep(LOOK_SECONDS)

    async def prune(self) -> int:
        """Forget now what was sent long ago; returns how many deliveries. Raises: ServiceFault."""
        return await pruning.prune(self._store)

    async def anchor(self) -> int:
        """Take an anchor now; returns how many lines the file outside has got. Raises: ServiceFault, OSError."""
        heads = await self._store.scan(anchors.heads_of)
        if heads is not None:
            await self._store.write(lambda tx: anchors.add(tx, heads))
        return 0 if self._anchor_dir is None else await anchors.keep_outside(self._store, self._anchor_dir)


def _claim(tx: Tx, name: str) -> bool:
    """Whether this process is the first of the day (UTC)."""
    today = str(tx.now // DAY_MS)
    known = tx.connection.execute(select(facts.c.value).where(facts.c.name == name).with_for_update()).scalar()
    if known is None:
        tx.connection.execute(insert(facts), {"name": name, "value": today})  # of two at once one fails, and runs again
        return True
    changed = update(facts).where(facts.c.name == name, facts.c.value != today).values(value=today)
    return tx.connection.execute(changed).rowcount == 1
