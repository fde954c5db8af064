"""Whom a review is meant for: invited into its loop where the key may, and named where they cannot be reached.

An address becomes a pending member by the same way as every invitation (H10), and only a key with the scope for that
does it (H9); a request alone lets nobody in.
"""

from __future__ import annotations

from pydantic import ValidationError

from hitl_mcp.contract.models import ReviewFacts
from hitl_mcp.contract.teams import NewMember, Scope
from hitl_mcp.errors import Refused
from hitl_mcp.service import joining, members
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.store.base import Tx

_WAIT = "they wait to be let in: an active member of the loop confirms them on the inbox's People page"


def reach(tx: Tx, agent: Agent, loop_id: str, review: ReviewFacts | None, *, inviting: bool = True) -> list[str]:
    """Invite the assignees; one note for each whom the request does not reach.

    Args:
        inviting: False where nothing new was asked.
    """
    if review is None or not review.assignees or agent.by_token:  # a page's visitor is not told who is in a loop
        return []
    there = {member.email: member.status for member in members.of_loop(tx, loop_id)}
    notes: list[str] = []
    for address in dict.fromkeys(one.strip().lower() for one in review.assignees):
        status = there.get(address)
        if status != "active":
            why = _WAIT if status == "pending" else _invited(tx, agent, loop_id, address, inviting=inviting)
            notes.append(f"Not reachable: {address} is not an active member of the loop; {why}.")
    return notes


def _invited(tx: Tx, agent: Agent, loop_id: str, address: str, *, inviting: bool) -> str:
    try:
        new = NewMember(email=address)
    except ValidationError:
        return "this is no e-mail address, so nobody could be invited"
    if Scope.MEMBERS_WRITE not in agent.scopes:
        return f"this API key lacks the scope {Scope.MEMBERS_WRITE.value}, so they were not invited"
    if not inviting:
        return "they were not invited again"
    try:
        joining.invite(tx, agent, loop_id, new.email, None)
    except Refused as refused:
        return f"they could not be invited: {refused.message}"
    return f"they were invited, and {_WAIT}"
