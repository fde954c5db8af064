"""How people come into a loop: invited by a key, with a code, or through the invitation in their mailbox (H10)."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, update

from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.teams import Member, Role
from hitl_mcp.errors import Conflict, NotAllowed
from hitl_mcp.service import invitations, loops
from hitl_mcp.service.actors import Agent, Person
from hitl_mcp.service.invitations import Invitation
from hitl_mcp.service.members import let_in, of_loop
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import members, sessions, sign_ins, users

MAX_WAITING = 50
"""Newcomers of one loop who came with a code and wait; more would bury whom its people expect."""


def person_with(tx: Tx, email: str, name: str | None) -> str:
    """The id of the person with this address, made when there is none."""
    known = known_by(tx, email, name)
    return known if known is not None else _new_person(tx, email, name)


def known_by(tx: Tx, email: str, name: str | None = None) -> str | None:
    """The id of the person with this address, for somebody who vouches for it: an inviting key, or the terminal.

    Whoever only claimed the address, and was let in nowhere, is signed out and loses the name they gave themselves:
    nobody gets in by having typed another's address first (H10).
    """
    known = tx.connection.execute(select(users.c.id).where(users.c.email == email)).scalar()
    if known is None:
        return None
    doubt(tx, known)
    if name is not None and not is_let_in(tx, known):
        tx.connection.execute(update(users).where(users.c.id == known).values(name=name))
    return str(known)


def is_let_in(tx: Tx, user_id: str) -> bool:
    """Whether somebody has ever let this person into a loop where they still are."""
    let_in = select(members.c.loop_id).where(members.c.user_id == user_id, members.c.status == "active").limit(1)
    return tx.connection.execute(let_in).first() is not None


def doubt(tx: Tx, user_id: str) -> None:
    """Who really has the address has come: whoever only claimed it loses their sessions and password."""
    if not is_let_in(tx, user_id):
        tx.connection.execute(delete(sessions).where(sessions.c.user_id == user_id))
        tx.connection.execute(delete(sign_ins).where(sign_ins.c.user_id == user_id))
        tx.connection.execute(update(users).where(users.c.id == user_id).values(password_hash=None))


def _new_person(tx: Tx, email: str, name: str | None) -> str:
    user_id = new_id()
    entry = {"id": user_id, "name": name or email, "email": email, "created_at": tx.now}
    tx.connection.execute(insert(users), entry)
    return user_id


_vouch_for = (
    update(members)
    .where(
        members.c.loop_id == bindparam("in_loop"), members.c.user_id == bindparam("who"),
        members.c.status == "pending", members.c.invite_code.is_not(None),
    )
    .values(invited_by=bindparam("by"), invite_code=None)
)  # fmt: skip
"""Whoever came with a code waits as invited from now on; by then they were signed out."""


def invite(tx: Tx, agent: Agent, loop_id: str, email: str, name: str | None) -> Member:
    """Add a person by address, pending. Raises: NotFound, NotAllowed, Conflict when they are in it already."""
    loops.find_owned(tx, agent, loop_id, "add members")
    user_id = person_with(tx, email, name)
    if tx.connection.execute(_vouch_for, {"in_loop": loop_id, "who": user_id, "by": agent.actor}).rowcount == 0:
        _add_pending(tx, loop_id, user_id, invited_by=agent.actor)
    return next(member for member in of_loop(tx, loop_id) if member.user_id == user_id)


class Joined(NamedTuple):
    """How somebody came in.

    Attributes:
        active: whether they are let in; else somebody of the loop has to.
    """

    loop_id: str
    user_id: str
    active: bool


def join(tx: Tx, code: str, email: str, name: str) -> Joined:
    """A newcomer with a code asks to join, and a person is made for them.

    An address that is known already stays with its person: nobody gets into another's account by naming their address.
    A mailed invitation proves its own address, whatever is typed.

    Raises: NotFound for a dead code, Conflict for an address that belongs to somebody.
    """
    invitation = invitations.found(tx, code)
    if invitation.email is not None:
        return _by_mail(tx, invitation, name)
    if tx.connection.execute(select(users.c.id).where(users.c.email == email)).first() is not None:
        raise Conflict("This address is known here already. Sign in first, or ask whoever invited you to sign you in")
    return _come(tx, invitation, _new_person(tx, email, name))


def _by_mail(tx: Tx, invitation: Invitation, name: str) -> Joined:
    """Their mailbox is proof enough of an address that is in no loop; else its person signs in first."""
    address = str(invitation.email)
    known = known_by(tx, address, name)
    if known is not None and is_let_in(tx, known):
        raise Conflict("You have an account here. Sign in, then open the invitation again")
    return _come(tx, invitation, known if known is not None else _new_person(tx, address, name))


def join_as(tx: Tx, code: str, person: Person) -> Joined:
    """A signed-in person with an invitation comes to another loop.

    Raises: NotFound, Conflict when they are in it, NotAllowed with an invitation that is somebody else's.
    """
    invitation = invitations.found(tx, code)
    if invitation.email is not None:
        mine = tx.connection.execute(select(users.c.email).where(users.c.id == person.user_id)).scalar()
        if mine != invitation.email:
            raise NotAllowed("This invitation is for another address. Sign out, then open it again as its person")
    return _come(tx, invitation, person.user_id)


def _come(tx: Tx, invitation: Invitation, user_id: str) -> Joined:
    """Into the loop at once where the invitation admits, else among those who wait."""
    role = Role.REVIEWER if invitation.role is Role.OWNER and not invitation.admits else invitation.role
    if invitation.email is not None:
        _invited = members.c.loop_id == invitation.loop_id, members.c.user_id == user_id, members.c.status == "pending"
        tx.connection.execute(delete(members).where(*_invited))
        invitations.use_up(tx, invitation.code)
    else:
        _check_room(tx, invitation.loop_id)
    came_by = {"invited_by": invitation.issuer} if invitation.email is not None else {"code": invitation.code}
    _add_pending(tx, invitation.loop_id, user_id, role=role, **came_by)
    if invitation.admits:
        let_in(tx, invitation.loop_id, user_id)
    return Joined(invitation.loop_id, user_id, invitation.admits)


def _check_room(tx: Tx, loop_id: str) -> None:
    came = members.c.loop_id == loop_id, members.c.status == "pending", members.c.invite_code.is_not(None)
    if tx.connection.execute(select(func.count()).where(*came)).scalar_one() >= MAX_WAITING:
        raise Conflict("Too many people wait for this loop. Ask whoever invited you to have them let in or declined")


def _add_pending(
    tx: Tx,
    loop_id: str,
    user_id: str,
    *,
    invited_by: str | None = None,
    code: str | None = None,
    role: Role = Role.REVIEWER,
) -> None:
    mine = members.c.loop_id == loop_id, members.c.user_id == user_id
    status = tx.connection.execute(select(members.c.status).where(*mine)).scalar()
    if status is not None:
        raise Conflict("This person is in the loop already", {"status": status})
    entry = {"loop_id": loop_id, "user_id": user_id, "status": "pending", "invited_at": tx.now, "role": role.value}
    tx.connection.execute(insert(members), entry | {"invited_by": invited_by, "invite_code": code})


def add(tx: Tx, loop_id: str, user_id: str, role: Role) -> None:
    """Put a person into a loop at once: what the machine's console may. Raises: NotFound, Conflict."""
    loops.found(tx, loop_id)
    _add_pending(tx, loop_id, user_id, invited_by="console", role=role)
    let_in(tx, loop_id, user_id)
