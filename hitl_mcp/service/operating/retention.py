"""Retention: what was asked and answered is removed some days after a request was closed, its record is not (H24).

What stays: ids, states, times, who acted, the hashes of everything, and what became of an approval. What goes: every
text, context, answer, comment, file, feedback, delivery. That it went is an entry of the same chain, so a verifier can
tell it from data that somebody took away.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio.to_thread
from sqlalchemy import BindParameter, and_, bindparam, case, delete, exists, func, select, update

from hitl_mcp.contract.chain import DROPPED
from hitl_mcp.contract.states import Kind
from hitl_mcp.service.actors import SYSTEM
from hitl_mcp.service.lifecycle.record import note
from hitl_mcp.service.rows import IS_OPEN
from hitl_mcp.service.store import Store
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import (
    attempts,
    deliveries,
    events,
    feedback,
    media,
    once_keys,
    request_media,
    requests,
)

DAY_MS = 86_400_000
BATCH = 50
"""A batch is one transaction; others write between two."""

_on_its_way = exists().where(deliveries.c.request_id == requests.c.id, deliveries.c.state == "waiting")
_over = and_(
    ~IS_OPEN,
    requests.c.updated_at < bindparam("before"),
    requests.c.request_text != "",
    requests.c.held_until.is_(None),
    ~_on_its_way,
)
_candidates = select(requests).where(_over).order_by(requests.c.updated_at, requests.c.id).limit(BATCH)
_count = select(func.count()).select_from(requests).where(_over)
_is_approval = requests.c.kind == Kind.APPROVAL.value


def _for_approvals(column: Any, otherwise: str | None) -> Any:
    """What our own options say is no text of anybody."""
    return case((_is_approval, column), else_=otherwise)


_empty = (
    update(requests)
    .where(requests.c.id == bindparam("request_id"), requests.c.seq == bindparam("seen"), _over)
    .values(
        seq=requests.c.seq + 1, request_text="", context=None, tags=None, media=None, review=None, user_agent=None,
        platform_version=None, callback_url=None, response_comment=None, asked_back=None, held_answer=None,
        escalation=None, similar=None,
        response_type=_for_approvals(requests.c.response_type, "text"),
        response_config=_for_approvals(requests.c.response_config, "{}"),
        default_response=_for_approvals(requests.c.default_response, "null"),
        response_data=_for_approvals(requests.c.response_data, None),
    )
    .returning(requests.c.seq)
)  # fmt: skip
_of_request: BindParameter[str] = bindparam("of_request")
_gone = (
    update(events).where(events.c.request_id == _of_request).values(data=DROPPED),
    delete(attempts).where(
        attempts.c.delivery_id.in_(select(deliveries.c.id).where(deliveries.c.request_id == _of_request))
    ),
    delete(deliveries).where(deliveries.c.request_id == _of_request),
    delete(feedback).where(feedback.c.request_id == _of_request),
    delete(once_keys).where(once_keys.c.request_id == _of_request),
    delete(request_media).where(request_media.c.request_id == _of_request),
)
_unused = delete(media).where(~exists().where(request_media.c.digest == media.c.digest))


@dataclass(frozen=True, slots=True)
class Retention:
    """What becomes of old requests.

    Args:
        store: where they are.
        days: how long after the last thing that happened to a closed request.
        how: `archive` writes a request to a file before it is emptied.
        folder: where those files go.
    """

    store: Store
    days: int
    how: Literal["archive", "delete"]
    folder: Path

    async def due(self) -> int:
        """How many requests a run would empty now."""
        return await self.store.scan(lambda tx: int(tx.connection.execute(_count, self._values(tx)).scalar_one()))

    async def run(self) -> int:
        """Empty what is due, batch by batch; returns how many. Raises: ServiceFault, OSError."""
        done = 0
        while batch := await self.store.scan(self._read):
            if self.how == "archive":
                await anyio.to_thread.run_sync(_archive, self.folder, batch)
            emptied = await self.store.write(partial(self._empty, batch=batch))
            if not emptied:  # somebody did something to each of them meanwhile
                break
            done += emptied
        if done:
            await self.store.write(lambda tx: tx.connection.execute(_unused).rowcount)
            await self.store.scrub()
        return done

    def _values(self, tx: Tx) -> dict[str, int]:
        return {"before": tx.now - self.days * DAY_MS}

    def _read(self, tx: Tx) -> list[dict[str, Any]]:
        rows = tx.connection.execute(_candidates, self._values(tx)).mappings().all()
        return [_whole(tx, dict(row)) if self.how == "archive" else {"request": dict(row)} for row in rows]

    def _empty(self, tx: Tx, batch: list[dict[str, Any]]) -> int:
        emptied = 0
        for entry in batch:
            request_id = str(entry["request"]["id"])
            known = {"request_id": request_id, "seen": entry["request"]["seq"]}
            seq = tx.connection.execute(_empty, known | self._values(tx)).scalar()
            if seq is None:
                continue
            for statement in _gone:
                tx.connection.execute(statement, {"of_request": request_id})
            note(tx, request_id, seq, "dropped", SYSTEM, {"days": self.days, "how": self.how})
            emptied += 1
        return emptied


def _whole(tx: Tx, request: dict[str, Any]) -> dict[str, Any]:
    """A request with everything that belongs to it."""
    of = {"of_request": request["id"]}
    parts = {
        "events": select(events).where(events.c.request_id == _of_request).order_by(events.c.seq),
        "feedback": select(feedback).where(feedback.c.request_id == _of_request),
        "deliveries": select(deliveries).where(deliveries.c.request_id == _of_request).order_by(deliveries.c.id),
        "media": select(media).join(request_media).where(request_media.c.request_id == _of_request),
    }
    found = {name: [dict(row) for row in tx.connection.execute(query, of).mappings()] for name, query in parts.items()}
    return {"request": request} | found


def _archive(folder: Path, batch: list[dict[str, Any]]) -> None:
    """Add a batch to the day's file, and have it on the disk. One whose removal fails later is there twice."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"requests-{datetime.now(UTC):%Y-%m-%d}.jsonl.gz"
    lines = "".join(json.dumps(entry, ensure_ascii=False, default=_as_text) + "\n" for entry in batch)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
        file.write(gzip.compress(lines.encode()))
        file.flush()
        os.fsync(file.fileno())


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no place in an archive")
