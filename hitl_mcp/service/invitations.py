"""Ways into a loop: codes for whoever has them, and invitations that are mailed to one address (H10).

Each lives for 7 days and dies with its issuer's part in the loop. A code only lets a newcomer ask. A mailed invitation
is known to its mailbox alone, so its page shows it to nobody; from an owner it lets its person in.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, insert, select

from hitl_mcp.contract.teams import Role
from hitl_mcp.errors import NotAllowed, NotFound
from hitl_mcp.service import loops
from hitl_mcp.service.actors import Person
from hitl_mcp.service.clock import moment
from hitl_mcp.service.membership import MAY_ANSWER, ROLE, need_answerer, role_in
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import invites, members, users
from hitl_mcp.service.store.tables import loops as loops_table

CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Nothing that looks like something else."""
CODE_LENGTH = 9
MAILED_LENGTH = 20
CODE_MS = 7 * 24 * 3_600_000
MOST = 50
"""Invitations of one loop that live at the same time."""

_living: Select[Any] = (
    select(invites, ROLE.label("issuer_role"), users.c.name.label("issuer_name"))
    .join(members, (members.c.loop_id == invites.c.loop_id) & (members.c.user_id == invites.c.issuer_id))
    .join(loops_table, loops_table.c.id == invites.c.loop_id)
    .join(users, users.c.id == invites.c.issuer_id)
    .where(members.c.status == "active", MAY_ANSWER, invites.c.expires_at > bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class Invitation:
    """One living way into a loop.

    Attributes:
        email: the only address it admits; None for whoever has the code.
        by_owner: whether its issuer keeps the loop.
    """

    code: str
    loop_id: str
    role: Role
    email: str | None
    issuer: str
    expires_at: datetime
    by_owner: bool

    @property
    def admits(self) -> bool:
        """Whether who comes with it is in at once: an owner named the address, and only its mailbox knows the code."""
        return self.email is not None and self.by_owner


def _read(row: Row[Any]) -> Invitation:
    return Invitation(
        row.code, row.loop_id, Role(row.role or Role.REVIEWER), row.email, row.issuer_name, moment(row.expires_at),
        row.issuer_role == Role.OWNER.value,
    )  # fmt: skip


def code_of(tx: Tx, loop_id: str) -> str | None:
    """The loop's newest living code for whoever has it."""
    newest = _living.where(invites.c.loop_id == loop_id, invites.c.email.is_(None))
    row = tx.connection.execute(newest.order_by(invites.c.created_at.desc()).limit(1), {"now": tx.now}).first()
    return None if row is None else str(row.code)


def rotate_code(tx: Tx, loop_id: str, issuer_id: str) -> str:
    """A fresh code; the former ones are worthless. Mailed invitations stay."""
    tx.connection.execute(delete(invites).where(invites.c.loop_id == loop_id, invites.c.email.is_(None)))
    return _add(tx, loop_id, issuer_id, Role.REVIEWER, None)


def living(tx: Tx, loop_id: str) -> list[Invitation]:
    """Every living way into a loop, the newest first."""
    query = _living.where(invites.c.loop_id == loop_id).order_by(invites.c.created_at.desc(), invites.c.code)
    return [_read(row) for row in tx.connection.execute(query, {"now": tx.now})]


def found(tx: Tx, code: str) -> Invitation:
    """The living invitation with this code. Raises: NotFound."""
    row = tx.connection.execute(_living.where(invites.c.code == code.strip().upper()), {"now": tx.now}).first()
    if row is None:
        raise NotFound("This invitation is not known or has expired. Ask whoever sent it for a new one")
    loops.found(tx, row.loop_id)
    return _read(row)


def make(tx: Tx, person: Person, loop_id: str, role: Role, email: str | None = None) -> str:
    """A new invitation of a person; returns its code.

    Args:
        email: the only address it admits; the code then goes by mail and nowhere else.

    Raises: NotFound, NotAllowed for a viewer, and where somebody gives more than they are or a code would make owners.
    """
    loops.found(tx, loop_id)
    need_answerer(tx, loop_id, person.user_id)
    if role is Role.OWNER and (email is None or role_in(tx, loop_id, person.user_id) is not Role.OWNER):
        raise NotAllowed("Only an owner makes owners, and only by name: invite by e-mail, or change the member's role")
    tx.connection.execute(delete(invites).where(invites.c.loop_id == loop_id, invites.c.expires_at <= tx.now))
    if email is not None:
        tx.connection.execute(delete(invites).where(invites.c.loop_id == loop_id, invites.c.email == email))
    if len(living(tx, loop_id)) >= MOST:
        raise NotAllowed(f"{MOST} invitations are open. Withdraw one first")
    return _add(tx, loop_id, person.user_id, role, email)


def _add(tx: Tx, loop_id: str, issuer_id: str, role: Role, email: str | None) -> str:
    length = CODE_LENGTH if email is None else MAILED_LENGTH
    code = "".join(secrets.choice(CODE_LETTERS) for _ in range(length))
    entry = {"code": code, "loop_id": loop_id, "issuer_id": issuer_id, "created_at": tx.now, "email": email}
    tx.connection.execute(insert(invites), entry | {"role": role.value, "expires_at": tx.now + CODE_MS})
    return code


def shown_to(tx: Tx, person: Person, loop_id: str, code: str) -> None:
    """Whether a person may see a code as a picture. Raises: NotFound, NotAllowed."""
    need_answerer(tx, loop_id, person.user_id)
    invitation = found(tx, code)
    if invitation.loop_id != loop_id or invitation.email is not None:
        raise NotFound("There is no such invitation")


def withdraw(tx: Tx, person: Person, loop_id: str, mark: str) -> None:
    """End an invitation: one's own, or for owners and reviewers anybody's of the loop. Raises: NotFound, NotAllowed.

    Args:
        mark: its code, or for a mailed one the address.
    """
    loops.found(tx, loop_id)
    need_answerer(tx, loop_id, person.user_id)
    plain = (invites.c.code == mark) & invites.c.email.is_(None)
    gone = delete(invites).where(invites.c.loop_id == loop_id, plain | (invites.c.email == mark))
    if tx.connection.execute(gone).rowcount == 0:
        raise NotFound("This invitation has ended already")


def end_of(tx: Tx, loop_id: str, user_id: str) -> None:
    """End what a person issued, so that it does not come to life again with them."""
    tx.connection.execute(delete(invites).where(invites.c.loop_id == loop_id, invites.c.issuer_id == user_id))


def use_up(tx: Tx, code: str) -> None:
    """A mailed invitation is good for once."""
    tx.connection.execute(delete(invites).where(invites.c.code == code))
