"""Anchors: a digest over the heads of all chains, each day, also kept outside the database and keyed there (H24).

An anchor speaks of what was written a while before it was taken, so that no transaction that still runs can add to
that. What is outside is a file with one JSON object a line and a key beside it; who has only the database can write
every chain and anchor in it anew, but not these marks.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
from sqlalchemy import and_, bindparam, func, insert, select

from hitl_mcp.contract.chain import FIRST, anchor_hash, anchor_mac, heads_digest
from hitl_mcp.service.store import Store
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import anchors, events

SETTLED_MS = 60_000
"""Longer than any transaction runs."""
FILE, KEY = "anchors.jsonl", "anchor.key"

_settled = events.c.at <= bindparam("moment")
_last = select(func.max(events.c.position)).where(_settled)
_newest = (
    select(events.c.request_id, func.max(events.c.seq).label("seq"))
    .where(_settled, events.c.position <= bindparam("position"))
    .group_by(events.c.request_id)
    .subquery()
)
_heads = (
    select(events.c.request_id, events.c.seq, events.c.hash)
    .join(_newest, and_(_newest.c.request_id == events.c.request_id, _newest.c.seq == events.c.seq))
    .order_by(events.c.request_id)
)
_anchors = select(anchors).where(anchors.c.id > bindparam("after")).order_by(anchors.c.id)
_previous = select(anchors.c.hash).order_by(anchors.c.id.desc()).limit(1)


@dataclass(frozen=True, slots=True)
class Heads:
    """All chains as they stood at a moment."""

    at: int
    position: int
    count: int
    digest: str


def heads_of(tx: Tx) -> Heads | None:
    """All chains as they stood a minute ago; None while there is nothing."""
    moment = tx.now - SETTLED_MS
    position = tx.connection.execute(_last, {"moment": moment}).scalar()
    if position is None:
        return None
    rows = tx.connection.execute(_heads, {"moment": moment, "position": position})
    count, digest = heads_digest((row.request_id, row.seq, row.hash) for row in rows)
    return Heads(moment, int(position), count, digest)


def add(tx: Tx, heads: Heads) -> None:
    """Append an anchor."""
    previous = tx.connection.execute(_previous).scalar() or FIRST
    made = anchor_hash(previous, heads.at, heads.position, heads.count, heads.digest)
    row = {
        "at": heads.at, "position": heads.position, "heads": heads.count, "digest": heads.digest,
        "previous": previous, "hash": made,
    }  # fmt: skip
    tx.connection.execute(insert(anchors), row)


def after(tx: Tx, anchor_id: int) -> list[dict[str, Any]]:
    """The anchors after one."""
    names = ("id", "at", "position", "heads", "digest", "previous", "hash")
    rows = tx.connection.execute(_anchors, {"after": anchor_id})
    return [{name: getattr(row, name) for name in names} for row in rows]


async def keep_outside(store: Store, folder: Path) -> int:
    """Append the anchors that the folder's file has not got; returns how many. Raises: OSError."""
    known = await anyio.to_thread.run_sync(_last_id, folder / FILE)
    fresh = await store.scan(lambda tx: after(tx, known))
    if fresh:
        await anyio.to_thread.run_sync(_append, folder, fresh)
    return len(fresh)


def _last_id(path: Path) -> int:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return 0
    return int(json.loads(lines[-1])["id"]) if lines else 0


def _append(folder: Path, fresh: list[dict[str, Any]]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = _key(folder / KEY)
    with (folder / FILE).open("a", encoding="utf-8") as file:
        for anchor in fresh:
            file.write(json.dumps(anchor | {"mac": anchor_mac(key, anchor["hash"])}) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _key(path: Path) -> bytes:
    """The key beside the file; made once, for its owner's eyes."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
    except FileExistsError:
        pass
    return bytes.fromhex(path.read_text(encoding="ascii").strip())
