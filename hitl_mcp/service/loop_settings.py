"""What people set about a loop: its words, guidelines and policies. No API key comes here (H9)."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import bindparam, select, update

from hitl_mcp.contract.teams import LoopDescription, LoopIcon, LoopName, Role
from hitl_mcp.contract.text import STORABLE
from hitl_mcp.errors import Conflict, NotAllowed, NotFound
from hitl_mcp.service import loops
from hitl_mcp.service.actors import Person
from hitl_mcp.service.membership import answered_by, need_owner, role_in
from hitl_mcp.service.rows import IS_OPEN
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import loops as loops_table
from hitl_mcp.service.store.tables import requests

MAX_GUIDELINES = 20_000
MAX_UNDO_SECONDS = 300
NAMED = 5
"""How many open requests the refusal to archive names."""


class LoopSettings(BaseModel):
    """A loop as its owners set it.

    Attributes:
        guidelines: for its reviewers, in Markdown.
        undo_seconds: how long an answer can be taken back; 0: not at all.
        allow_client_answers: None: as the kind of service has it (H7).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: LoopName
    icon: LoopIcon = "shield-check"
    description: LoopDescription | None = None
    guidelines: Annotated[str, Field(max_length=MAX_GUIDELINES), STORABLE] | None = None
    undo_seconds: Annotated[int, Field(ge=0, le=MAX_UNDO_SECONDS)] = 0
    allow_client_answers: bool | None = None


def of_loop(tx: Tx, person: Person, loop_id: str) -> LoopSettings:
    """The settings of a loop that this person may see. Raises: NotFound."""
    if role_in(tx, loop_id, person.user_id) is None:
        raise NotFound("Loop not found")
    loops.found(tx, loop_id)
    row = tx.connection.execute(select(loops_table).where(loops_table.c.id == loop_id)).one()
    said = row.allow_client_answers
    return LoopSettings.model_construct(
        name=row.name, icon=row.icon, description=row.description, guidelines=row.guidelines,
        undo_seconds=row.undo_seconds or 0, allow_client_answers=None if said is None else bool(said),
    )  # fmt: skip


def may_create(tx: Tx, person: Person, first_person: str) -> bool:
    """Whether somebody makes loops: the service's owner, and whoever answers in one already."""
    return person.user_id == first_person or bool(answered_by(tx, person.user_id))


def create(tx: Tx, person: Person, first_person: str, wanted: LoopSettings) -> str:
    """A new loop, which this person keeps; returns its id. Raises: NotAllowed for who was let in nowhere."""
    if not may_create(tx, person, first_person):
        raise NotAllowed("Only who answers in a loop makes another. Ask whoever runs this server")
    loop_id = loops.add_loop(
        tx, name=wanted.name, description=wanted.description, icon=wanted.icon, creator_id=person.user_id
    )
    _write(tx, loop_id, wanted)
    return loop_id


def change(tx: Tx, person: Person, loop_id: str, wanted: LoopSettings) -> None:
    """Set everything anew. Raises: NotFound, NotAllowed for who does not keep the loop."""
    loops.found(tx, loop_id)
    need_owner(tx, loop_id, person.user_id)
    _write(tx, loop_id, wanted)


def _write(tx: Tx, loop_id: str, wanted: LoopSettings) -> None:
    said = wanted.allow_client_answers
    values = wanted.model_dump() | {
        "description": wanted.description or None,
        "guidelines": (wanted.guidelines or "").strip() or None,
        "undo_seconds": wanted.undo_seconds or None,
        "allow_client_answers": None if said is None else int(said),
    }
    tx.connection.execute(update(loops_table).where(loops_table.c.id == loop_id).values(**values, updated_at=tx.now))


_open_ones = (
    select(requests.c.id, requests.c.request_text)
    .where(requests.c.loop_id == bindparam("loop_id"), IS_OPEN, requests.c.timeout_at > bindparam("now"))
    .order_by(requests.c.timeout_at, requests.c.id)
    .limit(NAMED)
)


def open_ones(tx: Tx, loop_id: str) -> list[tuple[str, str]]:
    """The id and text of the open requests that end first."""
    return [
        (row.id, row.request_text) for row in tx.connection.execute(_open_ones, {"loop_id": loop_id, "now": tx.now})
    ]


def archive(tx: Tx, person: Person, loop_id: str) -> None:
    """Take a loop out of use; its requests and events stay.

    Raises: NotFound, NotAllowed, Conflict while any is open.
    """
    loops.found(tx, loop_id)
    need_owner(tx, loop_id, person.user_id)
    waiting = loops.close(tx, loop_id)
    if waiting:
        raise Conflict(f"{waiting} of its requests are open. Decide them, or have their agents withdraw them, first")


def parts_of(tx: Tx, person: Person) -> dict[str, Role]:
    """What a person is in each of their loops."""
    mine = [loop.id for loop in loops.joined(tx, person.user_id)]
    return {loop_id: part for loop_id in mine if (part := role_in(tx, loop_id, person.user_id)) is not None}
