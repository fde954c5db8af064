"""What becomes of a member: another role, taken out, or gone of their own will. A loop always keeps an owner."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, select, update

from hitl_mcp.contract.teams import Role
from hitl_mcp.errors import Conflict, NotAllowed, NotFound
from hitl_mcp.service import invitations, loops
from hitl_mcp.service.actors import Agent, Person
from hitl_mcp.service.lifecycle.deciding import let_go_of_claims
from hitl_mcp.service.members import facts_of, let_go
from hitl_mcp.service.membership import ROLE, need_owner, role_in
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import loops as loops_table
from hitl_mcp.service.store.tables import members
from hitl_mcp.service.webhooks import fan_out

_owners = (
    select(members.c.user_id)
    .join(loops_table, loops_table.c.id == members.c.loop_id)
    .where(members.c.loop_id == bindparam("loop_id"), members.c.status == "active", ROLE.in_([Role.OWNER.value]))
    .order_by(members.c.joined_at, members.c.user_id)
)
_LAST = "A loop keeps at least one owner. Make somebody else an owner first"


def change_role(tx: Tx, person: Person, loop_id: str, user_id: str, role: Role) -> None:
    """Give an active member another role. Raises: NotFound, NotAllowed, Conflict for the last owner."""
    _hold(tx, loop_id)
    need_owner(tx, loop_id, person.user_id)
    mine = members.c.loop_id == loop_id, members.c.user_id == user_id, members.c.status == "active"
    if tx.connection.execute(update(members).where(*mine).values(role=role.value)).rowcount == 0:
        raise NotFound("This person is not a member of the loop")
    if role is not Role.OWNER:
        _keep_an_owner(tx, loop_id, user_id, person)
    if role is Role.VIEWER:
        _end_what_they_hold(tx, loop_id, user_id)


def remove(tx: Tx, agent: Agent, loop_id: str, user_id: str) -> None:
    """Take a person out of a loop with a key. Raises: NotFound, NotAllowed: owners are removed by people only (H9)."""
    loop = loops.find_owned(tx, agent, loop_id, "remove members")
    if user_id == loop.creator_id:
        raise NotAllowed("Loop creator cannot remove themselves")
    if role_in(tx, loop_id, user_id) is Role.OWNER:
        raise NotAllowed("An owner of the loop is removed by another owner, in the inbox")
    _take_out(tx, loop_id, user_id, "removed")


def take_out(tx: Tx, person: Person, loop_id: str, user_id: str) -> None:
    """Take another person out of a loop. Raises: NotFound, NotAllowed."""
    _hold(tx, loop_id)
    need_owner(tx, loop_id, person.user_id)
    if user_id == person.user_id:
        raise NotAllowed("You cannot remove yourself. You can leave the loop")
    _take_out(tx, loop_id, user_id, "removed")
    _keep_an_owner(tx, loop_id, user_id, person)


def leave(tx: Tx, person: Person, loop_id: str) -> None:
    """Go out of a loop, or stop waiting for it. Raises: NotFound, Conflict for the last owner."""
    _hold(tx, loop_id)
    _take_out(tx, loop_id, person.user_id, "left")
    _keep_an_owner(tx, loop_id, person.user_id, None)


def _hold(tx: Tx, loop_id: str) -> None:
    """Two owners who go at once wait for each other, so that one stays."""
    loops.found(tx, loop_id)
    tx.connection.execute(update(loops_table).where(loops_table.c.id == loop_id).values(updated_at=tx.now))


def _take_out(tx: Tx, loop_id: str, user_id: str, why: str) -> None:
    mine = members.c.loop_id == loop_id, members.c.user_id == user_id
    status = tx.connection.execute(select(members.c.status).where(*mine)).scalar()
    if status is None:
        raise NotFound("User is not a member of this loop")
    if status == "active":
        fan_out.of_loop(tx, loop_id, "loop.member_left", {**facts_of(tx, loop_id, user_id), "reason": why})
    tx.connection.execute(delete(members).where(*mine))
    _end_what_they_hold(tx, loop_id, user_id)
    let_go(tx, user_id)


def _end_what_they_hold(tx: Tx, loop_id: str, user_id: str) -> None:
    invitations.end_of(tx, loop_id, user_id)
    let_go_of_claims(tx, loop_id, user_id)


def _keep_an_owner(tx: Tx, loop_id: str, gone: str, heir: Person | None) -> None:
    """Refuse when nobody would keep the loop; where its creator stops being one, keys of the heir ask in it.

    Args:
        heir: who did it; None for whoever has owned it longest.
    """
    owners = list(tx.connection.execute(_owners, {"loop_id": loop_id}).scalars())
    mine = loops_table.c.id == loop_id, loops_table.c.creator_id == gone
    was_creator = tx.connection.execute(select(func.count()).select_from(loops_table).where(*mine)).scalar_one() > 0
    left = [owner for owner in owners if owner != gone]
    if not left:
        raise Conflict(_LAST)
    if was_creator:
        new = heir.user_id if heir is not None and heir.user_id in left else left[0]
        tx.connection.execute(
            update(members).where(members.c.loop_id == loop_id, members.c.user_id == new).values(role=Role.OWNER.value)
        )
        tx.connection.execute(update(loops_table).where(*mine).values(creator_id=new))
