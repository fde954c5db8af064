"""Loops: plain record keeping. The person behind a key makes them, and is their first active member (H9)."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, func, insert, or_, select, update

from hitl_mcp.contract.answers import slug
from hitl_mcp.contract.ids import is_id, new_id
from hitl_mcp.contract.models import Loop
from hitl_mcp.contract.teams import LoopChange, Role
from hitl_mcp.errors import BadRequest, NotAllowed, NotFound
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.clock import moment
from hitl_mcp.service.membership import JOINED, MAY_ANSWER, is_member, joined_by
from hitl_mcp.service.rows import IS_OPEN, SOME_OPEN, columns
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import channels, loops, members, requests

_members = select(func.count()).where(members.c.loop_id == loops.c.id, members.c.status == "active").scalar_subquery()
_pending = (
    select(func.count())
    .where(
        requests.c.loop_id == loops.c.id,
        IS_OPEN,
        requests.c.timeout_at > bindparam("now"),
    )
    .scalar_subquery()
)
_all = (
    select(loops, _members.label("member_count"), _pending.label("pending_count"))
    .where(loops.c.archived_at.is_(None))
    .order_by(loops.c.created_at, loops.c.id)
)
_of_person = _all.where(or_(loops.c.creator_id == bindparam("user_id"), loops.c.id.in_(JOINED)))
_one = _all.where(loops.c.id == bindparam("loop_id"))
# Where units run side by side, a loop in which something is asked is not archived before that unit has ended, and one
# that is being archived is asked in by nobody. A plain update of its row would wait for neither.
_KEPT_IN_USE: Any = {"read": True, "key_share": True, "of": loops}
_where_to_ask = (
    select(
        loops.c.creator_id,
        loops.c.allow_client_answers,
        select(func.count())
        .where(members.c.loop_id == loops.c.id, members.c.status == "active", MAY_ANSWER)
        .scalar_subquery()
        .label("reached"),
        SOME_OPEN.scalar_subquery().label("ahead"),
        select(channels.c.id)
        .join(members, members.c.user_id == channels.c.user_id)
        .where(members.c.loop_id == loops.c.id, members.c.status == "active", channels.c.enabled == 1)
        .exists()
        .label("has_channels"),
        loops.c.ladder.is_not(None).label("has_ladder"),
    )
    .where(loops.c.id == bindparam("loop_id"), loops.c.archived_at.is_(None))
    .with_for_update(**_KEPT_IN_USE)
)
_in_use = (
    select(loops.c.id)
    .where(loops.c.id == bindparam("loop_id"), loops.c.archived_at.is_(None))
    .with_for_update(**_KEPT_IN_USE)
)
_for_itself = select(loops.c.id).where(loops.c.id == bindparam("loop_id")).with_for_update()
_open_in = select(func.count()).where(
    requests.c.loop_id == bindparam("loop_id"), IS_OPEN, requests.c.timeout_at > bindparam("now")
)


def _loop(row: Row[Any]) -> Loop:
    fields = columns(row)
    return Loop.model_validate(fields | {"created_at": moment(row.created_at), "updated_at": moment(row.updated_at)})


def listed(tx: Tx, user_id: str) -> list[Loop]:
    """The loops a person made or is an active member of, oldest first."""
    return [_loop(row) for row in tx.connection.execute(_of_person, {"now": tx.now, "user_id": user_id})]


def joined(tx: Tx, user_id: str) -> list[Loop]:
    """The loops a person is an active member of, oldest first."""
    mine = joined_by(tx, user_id)
    return [loop for loop in listed(tx, user_id) if loop.id in mine]


def visible(tx: Tx, agent: Agent) -> list[Loop]:
    """The loops a key reaches: its person's, within the key's own limit."""
    return [loop for loop in listed(tx, agent.user_id) if agent.reaches(loop.id)]


def found(tx: Tx, loop_id: str) -> Loop:
    """One loop. Raises: NotFound."""
    row = tx.connection.execute(_one, {"now": tx.now, "loop_id": loop_id}).first()
    if row is None:
        raise NotFound("Loop not found")
    return _loop(row)


def find_visible(tx: Tx, agent: Agent, loop_id: str) -> Loop:
    """One loop that this key reaches. Raises: NotFound, NotAllowed."""
    loop = found(tx, loop_id)
    if not agent.reaches(loop_id) or not (loop.creator_id == agent.user_id or is_member(tx, loop_id, agent.user_id)):
        raise NotAllowed("Access denied to this loop")
    return loop


def find_owned(tx: Tx, agent: Agent, loop_id: str, may: str) -> Loop:
    """One loop that this key's person made.

    Args:
        may: what only the creator may do, for the refusal (`update the loop`).

    Raises: NotFound, NotAllowed.
    """
    loop = find_visible(tx, agent, loop_id)
    if loop.creator_id != agent.user_id:
        raise NotAllowed(f"Only loop creator can {may}")
    return loop


def named(tx: Tx, loop_id: str) -> str:
    """The loop's name, also after it was archived."""
    return str(tx.connection.execute(select(loops.c.name).where(loops.c.id == loop_id)).scalar_one())


class Place(NamedTuple):
    """Where a request is about to be asked.

    Attributes:
        reached: how many people it reaches.
        ahead: how many others wait.
        client_answers: whether answers from clients are taken there, where a person has said so.
        has_channels: whether any of its people can be sent a message.
        has_ladder: whether its people have set up how a request climbs.
    """

    reached: int
    ahead: int
    client_answers: bool | None
    has_channels: bool
    has_ladder: bool


def before_asking(tx: Tx, agent: Agent, loop_id: str, most: int) -> Place:
    """What to know before a request of this agent in this loop; others that wait are counted up to `most`.

    One statement, because every create needs it.

    Raises: NotFound, NotAllowed when the loop is another's or out of the key's reach, BadRequest when nobody is there.
    """
    row = tx.connection.execute(_where_to_ask, {"loop_id": loop_id, "now": tx.now, "most": most}).first()
    if row is None:
        raise NotFound("Loop not found")
    if not agent.reaches(loop_id):
        raise NotAllowed("Access denied to this loop")
    if row.creator_id != agent.user_id:
        raise NotAllowed("Only loop creators can create requests")
    if row.reached == 0:
        raise BadRequest("No active members found in the loop")
    said = row.allow_client_answers
    taken = None if said is None else bool(said)
    return Place(int(row.reached), int(row.ahead), taken, bool(row.has_channels), bool(row.has_ladder))


def keep_in_use(tx: Tx, loop_id: str) -> bool:
    """Whether a loop is in use; nobody archives it before this unit has ended."""
    return tx.connection.execute(_in_use, {"loop_id": loop_id}).first() is not None


def client_answers(tx: Tx, loop_id: str) -> bool | None:
    """Whether a person has said that this loop takes answers from clients (H7). No API key changes it."""
    said = tx.connection.execute(select(loops.c.allow_client_answers).where(loops.c.id == loop_id)).scalar()
    return None if said is None else bool(said)


def add_loop(tx: Tx, *, name: str, description: str | None, icon: str, creator_id: str) -> str:
    """A new loop whose creator is its first active member; returns its id."""
    loop_id = new_id()
    stamp = {"created_at": tx.now, "updated_at": tx.now}
    tx.connection.execute(
        insert(loops),
        {"id": loop_id, "name": name, "description": description, "icon": icon, "creator_id": creator_id, **stamp},
    )
    first = {"loop_id": loop_id, "user_id": creator_id, "status": "active", "joined_at": tx.now}
    tx.connection.execute(insert(members), first | {"role": Role.OWNER.value})
    return loop_id


def limited_key() -> NotAllowed:
    """A key that is limited to loops could not reach one it makes."""
    return NotAllowed("This API key is limited to some loops, so it cannot make another. Use a key without --loop")


def change(tx: Tx, agent: Agent, loop_id: str, wanted: LoopChange) -> Loop:
    """Rename or describe a loop. Raises: NotFound, NotAllowed."""
    find_owned(tx, agent, loop_id, "update the loop")
    given = wanted.model_dump(include=wanted.model_fields_set)
    tx.connection.execute(update(loops).where(loops.c.id == loop_id).values(**given, updated_at=tx.now))
    return found(tx, loop_id)


def archive(tx: Tx, agent: Agent, loop_id: str) -> dict[str, Any]:
    """Take a loop out of use and keep its requests and events (H9); the contract calls it delete.

    Raises: NotFound, NotAllowed, BadRequest while requests are open.
    """
    loop = find_owned(tx, agent, loop_id, "delete the loop")
    waiting = close(tx, loop_id)
    if waiting:
        raise BadRequest(
            "Cannot delete loop with active requests", f"{waiting} open; cancel them or wait for their decisions"
        )
    deleted = {"members_removed": loop.member_count, "requests_deleted": 0, "responses_deleted": 0}
    return {"loop_id": loop_id, "deleted_at": moment(tx.now), "archived": True, "deleted_data": deleted}


def close(tx: Tx, loop_id: str) -> int:
    """Mark a loop as archived; returns how many of its requests are open, for which the caller undoes it."""
    # it waits for those that ask in the loop, and keeps new ones waiting
    tx.connection.execute(_for_itself, {"loop_id": loop_id})
    done = update(loops).where(loops.c.id == loop_id, loops.c.archived_at.is_(None)).values(archived_at=tx.now)
    tx.connection.execute(done)
    return int(tx.connection.execute(_open_in, {"loop_id": loop_id, "now": tx.now}).scalar_one())


def resolve(tx: Tx, agent: Agent, wanted: str, named: dict[str, str]) -> str:
    """The id of the loop that an id, name, slug or the operator's alias means (compatibility section 2).

    Args:
        named: the operator's aliases.

    A loop that this key's person made goes before one they only belong to.

    Raises: NotFound that lists what there is, BadRequest when several have this name.
    """
    name = named.get(wanted, wanted)
    there = visible(tx, agent)
    if is_id(name):
        return name.lower()
    called = [loop for loop in there if loop.name == name]
    if not called and (short := slug(name)):
        called = [loop for loop in there if slug(loop.name) == short]
    matching = [loop.id for loop in called if loop.creator_id == agent.user_id] or [loop.id for loop in called]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise BadRequest("Several loops have this name", {"loop": wanted, "loop_ids": matching})
    raise NotFound("Loop not found", {"loop": wanted, "loops": [loop.name for loop in there]})
