"""What the creator of a request says about its answer, once (contract section 2.7)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, insert, select, update

from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.states import Status
from hitl_mcp.contract.text import canonical
from hitl_mcp.errors import BadRequest, Conflict
from hitl_mcp.service import rows
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.clock import moment
from hitl_mcp.service.lifecycle.record import note
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import feedback, requests

_step = (
    update(requests)
    .where(requests.c.id == bindparam("request_id"))
    .values(seq=requests.c.seq + 1)
    .returning(requests.c.seq)
)
_given = select(feedback.c.id).where(feedback.c.request_id == bindparam("request_id"))


def add(tx: Tx, agent: Agent, request_id: str, given: dict[str, Any]) -> dict[str, Any]:
    """Keep the feedback and note it in the log.

    Raises: BadRequest for a request that is not completed, Conflict for a second feedback, NotFound, NotAllowed.
    """
    request = rows.find_own(tx, agent, request_id)
    if request.status is not Status.COMPLETED:
        raise BadRequest("Feedback can only be added to completed requests", request.status.value)
    seq = tx.connection.execute(_step, {"request_id": request_id}).scalar_one()  # also keeps a second one waiting
    if tx.connection.execute(_given, {"request_id": request_id}).first() is not None:
        raise Conflict("Feedback was already added to this request", {"request_id": request_id})
    feedback_id = new_id()
    row = {"request_id": request_id, "id": feedback_id, "data": canonical(given), "created_at": tx.now}
    tx.connection.execute(insert(feedback), row)
    note(tx, request_id, seq, "feedback", agent.actor, given)
    return {
        "request_id": request_id,
        "feedback": given,
        "feedback_id": feedback_id,
        "submitted_at": moment(tx.now),
        "reviewer_notified": False,
    }
