"""What the machine's user lets the local service call although it is private, kept with its data (H39)."""

from __future__ import annotations

import json

from sqlalchemy import delete, insert, select

from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import facts

_FACT = "outgoing_allow"


def kept(tx: Tx) -> list[str]:
    """The entries: host names, addresses, networks, with an optional port."""
    found = tx.connection.execute(select(facts.c.value).where(facts.c.name == _FACT)).scalar()
    return [] if found is None else list(json.loads(found))


def change(tx: Tx, entry: str, *, keep: bool) -> list[str]:
    """Add an entry, or take it out; returns what is kept then."""
    entries = [one for one in kept(tx) if one != entry] + ([entry] if keep else [])
    tx.connection.execute(delete(facts).where(facts.c.name == _FACT))
    tx.connection.execute(insert(facts), {"name": _FACT, "value": json.dumps(entries)})
    return entries
