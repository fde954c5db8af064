"""Reviewers among themselves: a request is handed to a member, or back to nobody.

Who is named is asked first; the others may still answer, so that nothing waits for one absent person. A request that
somebody else has claimed is handed on by them, or by an owner of the loop; handing it on ends the claim.
"""

from __future__ import annotations

from sqlalchemy import bindparam, update

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.teams import Role
from hitl_mcp.errors import BadRequest
from hitl_mcp.service import rows
from hitl_mcp.service.actors import Person
from hitl_mcp.service.lifecycle.guards import FREE_FOR_ME, LIVE, STEP, UNCLAIMED, too_late
from hitl_mcp.service.lifecycle.record import note
from hitl_mcp.service.membership import MINE_TO_ANSWER, answers_in, role_in
from hitl_mcp.service.notify.people import tell
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import requests

_by_owner = (
    update(requests)
    .where(*LIVE, MINE_TO_ANSWER)
    .values(status="pending", assigned_to=bindparam("to"), **UNCLAIMED, **STEP)
    .returning(requests.c.seq)
)
_by_any = _by_owner.where(FREE_FOR_ME)


def check_assignee(tx: Tx, loop_id: str, user_id: str) -> None:
    """Raises: BadRequest for who is no active member of the loop, or does not answer there (H10)."""
    if not answers_in(tx, loop_id, user_id):
        raise BadRequest("Not assigned", "assigned_to must be an active member of the request's loop who answers there")


def reassign(tx: Tx, person: Person, request_id: str, user_id: str | None, words: str) -> ReviewRequest:
    """Hand a request to a member of its loop.

    Args:
        user_id: of the member; None for nobody in particular.
        words: what they should know; may be empty.

    Raises: BadRequest for who does not answer there, Conflict, NotAllowed, NotFound.
    """
    row = rows.columns_for(tx, person, request_id)
    if user_id is not None:
        check_assignee(tx, row["loop_id"], user_id)
    if row["assigned_to"] == user_id and rows.is_open(row, tx.now):
        return rows.view(row, tx.now)
    is_owner = role_in(tx, row["loop_id"], person.user_id) is Role.OWNER
    values = {"request_id": request_id, "now": tx.now, "to": user_id, "user_id": person.user_id}
    seq = tx.connection.execute(_by_owner if is_owner else _by_any, values).scalar()
    if seq is None:
        too_late(tx, person, request_id, None)
    note(tx, request_id, seq, "reassigned", person.actor, {"from": row["assigned_to"], "to": user_id, "note": words})
    if user_id is not None and user_id != person.user_id:
        tell(tx, request_id, row["loop_id"], "reassigned", only={user_id})
    return rows.find_view(tx, request_id)
