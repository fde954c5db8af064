"""The ladders of loops. People set them up (H9); a request never comes to a loop twice."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, func, select, update

from hitl_mcp.contract.escalation import Ladder
from hitl_mcp.contract.teams import Role
from hitl_mcp.contract.text import canonical
from hitl_mcp.errors import BadRequest, NotAllowed
from hitl_mcp.service.actors import Person
from hitl_mcp.service.membership import ANSWERS, answers_in, role_in
from hitl_mcp.service.notify import channels
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import loops, members

_one = select(loops.c.name, loops.c.ladder, loops.c.archived_at, loops.c.creator_id).where(
    loops.c.id == bindparam("loop_id")
)
_answering = (
    select(func.count())
    .select_from(members)
    .where(
        members.c.loop_id == bindparam("loop_id"),
        ANSWERS,
    )
)


def of_loop(tx: Tx, loop_id: str) -> Ladder | None:
    """The ladder of a loop that is in use."""
    row = tx.connection.execute(_one, {"loop_id": loop_id}).first()
    return None if row is None or row.archived_at is not None else read(row.ladder)


def read(text: str | None) -> Ladder | None:
    """As `save` wrote it."""
    return None if text is None else Ladder.model_validate_json(text)


def is_answered(tx: Tx, loop_id: str) -> bool:
    """Whether a loop is in use and has anybody who answers in it."""
    row = tx.connection.execute(_one, {"loop_id": loop_id}).first()
    if row is None or row.archived_at is not None:
        return False
    return tx.connection.execute(_answering, {"loop_id": loop_id}).scalar_one() > 0


def steps_from(tx: Tx, loop_id: str, step: int, visited: list[str]) -> int:
    """How many steps lead on from a place on a loop's ladder, through the loops behind it."""
    ladder = of_loop(tx, loop_id)
    if ladder is None or step >= len(ladder.steps):
        return 0
    beyond = ladder.steps[-1].to_loop
    rest = len(ladder.steps) - step
    return rest if beyond is None or beyond in visited else rest + steps_from(tx, beyond, 0, [*visited, beyond])


def keeps(tx: Tx, person: Person, loop_id: str) -> bool:
    """Whether a person may set a loop's ladder: its owners, and who made it while they answer in it."""
    if role_in(tx, loop_id, person.user_id) is Role.OWNER:
        return True
    row = tx.connection.execute(_one, {"loop_id": loop_id}).first()
    return row is not None and row.creator_id == person.user_id and answers_in(tx, loop_id, person.user_id)


def save(tx: Tx, person: Person, loop_id: str, ladder: Ladder | None) -> None:
    """Set or take away a loop's ladder.

    Raises: NotAllowed for who does not keep the loop; BadRequest, in words, for a ladder that leads in a circle, to a
        loop in which this person does not answer, to people who do not answer where it leads, or to a channel that is
        neither this person's nor in the ladder already.
    """
    if not keeps(tx, person, loop_id):
        raise NotAllowed("Only an owner of the loop sets its ladder")
    if ladder is not None:
        before = of_loop(tx, loop_id)
        kept = {one for step in (before.steps if before else ()) for one in step.to_channels}
        for number, step in enumerate(ladder.steps, 1):
            _check_target(tx, person, loop_id, number, step.to_loop, step.to_people)
            _check_channels(tx, person, step.to_loop or loop_id, number, step.to_channels, kept)
        _check_circle(tx, loop_id, ladder.steps[-1].to_loop)
    text = None if ladder is None else canonical(ladder.model_dump(mode="json", exclude_defaults=True))
    tx.connection.execute(update(loops).where(loops.c.id == loop_id).values(ladder=text, updated_at=tx.now))


def _check_target(tx: Tx, person: Person, loop_id: str, number: int, to_loop: str | None, to_people: list[str]) -> None:
    if to_loop is not None and to_loop != loop_id and not answers_in(tx, to_loop, person.user_id):
        raise BadRequest("Not saved", f"step {number} leads to a loop in which you do not answer")
    where = to_loop or loop_id
    if any(not answers_in(tx, where, user_id) for user_id in to_people):
        raise BadRequest("Not saved", f"step {number} names somebody who does not answer in the loop it leads to")


def _check_channels(tx: Tx, person: Person, where: str, number: int, named: list[str], kept: Collection[str]) -> None:
    for one in named:
        channel = channels.find(tx, one)
        if channel is None or (channel.user_id != person.user_id and one not in kept):
            raise BadRequest("Not saved", f"step {number} names a channel that is not yours; it may have been removed")
        if not answers_in(tx, where, channel.user_id):
            raise BadRequest(
                "Not saved", f"step {number} names a channel of somebody who does not answer where it leads"
            )


def _check_circle(tx: Tx, loop_id: str, to_loop: str | None) -> None:
    path = [loop_id]
    while to_loop is not None:
        path.append(to_loop)
        if to_loop in path[:-1]:
            names = " → ".join(str(tx.connection.execute(_one, {"loop_id": one}).one().name) for one in path)
            raise BadRequest("Not saved", f"the ladder leads in a circle: {names}")
        ladder = of_loop(tx, to_loop)
        to_loop = None if ladder is None else ladder.steps[-1].to_loop
