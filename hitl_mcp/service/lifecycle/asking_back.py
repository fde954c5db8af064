"""A reviewer asks the agent something before they decide. The agent answers with a change of the request."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import bindparam, func, update

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.text import canonical
from hitl_mcp.errors import BadRequest, Conflict
from hitl_mcp.service import rows
from hitl_mcp.service.actors import Person
from hitl_mcp.service.lifecycle.guards import FREE_FOR_ME, LIVE, STEP, too_late
from hitl_mcp.service.lifecycle.record import note
from hitl_mcp.service.membership import MINE_TO_ANSWER
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import requests

_ask = (
    update(requests)
    .where(*LIVE, FREE_FOR_ME, MINE_TO_ANSWER, func.coalesce(requests.c.asked_back, "") == bindparam("before"))
    .values(asked_back=bindparam("asked"), **STEP)
    .returning(requests.c.seq)
)


def ask_back(tx: Tx, person: Person, request_id: str, question: str) -> ReviewRequest:
    """Ask the agent. An answered question makes room for the next; all of them stay in the log.

    Raises: Conflict when one is open already, or as for an answer; NotAllowed, NotFound.
    """
    row = rows.columns_for(tx, person, request_id)
    before = row["asked_back"]
    if before is not None and "answer" not in (open_one := json.loads(before)) and rows.is_open(row, tx.now):
        raise Conflict(
            f"{open_one['name']} has asked the agent already; its answer is awaited", {"question": open_one["question"]}
        )
    asked = {"question": question, "by": person.user_id, "name": person.name, "at": tx.now}
    values = {
        "request_id": request_id, "now": tx.now, "user_id": person.user_id, "before": before or "",
        "asked": canonical(asked),
    }  # fmt: skip
    seq = tx.connection.execute(_ask, values).scalar()
    if seq is None:
        too_late(tx, person, request_id, None)
    note(tx, request_id, seq, "asked", person.actor, {"question": question, "name": person.name})
    return rows.find_view(tx, request_id)


def answered(tx: Tx, row: rows.Columns, answer: str) -> dict[str, Any]:
    """What is kept of the open question with the agent's answer. Raises: BadRequest when none is open."""
    asked: dict[str, Any] = {} if row["asked_back"] is None else json.loads(row["asked_back"])
    if not asked or "answer" in asked:
        raise BadRequest("Validation failed", "reviewer_answer: there is no question of a reviewer to answer")
    return asked | {"answer": answer, "answered_at": tx.now}
