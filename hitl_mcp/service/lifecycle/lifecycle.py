"""The facade: each method is one durable transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hitl_mcp.contract.escalation import Ladder
from hitl_mcp.contract.models import Created, NewAnswer, RequestChange, ReviewRequest
from hitl_mcp.contract.routes import REQUEST
from hitl_mcp.service import assignees, ladders, loops, rows
from hitl_mcp.service.actors import Agent, Person
from hitl_mcp.service.clock import milliseconds
from hitl_mcp.service.lifecycle import (
    asking,
    asking_back,
    client_answers,
    deciding,
    escalating,
    feedback,
    handing,
    holding,
    many,
    once,
)
from hitl_mcp.service.lifecycle.asking import Asked
from hitl_mcp.service.lifecycle.deciding import Decided
from hitl_mcp.service.lifecycle.due import DUE, nearest
from hitl_mcp.service.lifecycle.many import Recorded
from hitl_mcp.service.notify import people
from hitl_mcp.service.notify.results import untold
from hitl_mcp.service.store.base import Store, Tx

COUNTED_AHEAD = 100
"""Others that wait are counted up to here: an agent needs to know that there are many, not how many."""


class Lifecycle:
    """What can happen to a request.

    Args:
        store: where requests live.
        client_answers: answers that clients pass on are taken, where a loop's people have not said (H7).
        has_desktop: the machine's own user is told by its desktop, whatever channels there are.
    """

    def __init__(self, store: Store, *, client_answers: bool = False, has_desktop: bool = False) -> None:
        self._store = store
        self._client_answers = client_answers
        self._has_desktop = has_desktop
        self._on_due: list[Callable[[int], None]] = []

    def on_due(self, listener: Callable[[int], None]) -> None:
        """Tell `listener` when something is due earlier than it may know of (milliseconds since 1970)."""
        self._on_due.append(listener)

    async def create(self, agent: Agent, loop_id: str, asked: Asked, once_key: str | None) -> Created:
        """Ask; or find the same question (D12). Raises: BadRequest, Conflict, NotAllowed, NotFound (the loop)."""
        unit = partial(
            _create, agent=agent, loop_id=loop_id, asked=asked, once_key=once_key, by_default=self._client_answers,
            has_desktop=self._has_desktop,
        )  # fmt: skip
        created = await self._store.write(unit)
        self._heed_request(created.request)
        return created

    async def change(self, agent: Agent, request_id: str, wanted: RequestChange) -> tuple[ReviewRequest, list[str]]:
        """A new revision, and what its agent should know. See `asking.change`."""

        def unit(tx: Tx) -> tuple[ReviewRequest, list[str]]:
            before = None if wanted.review is None else rows.find_view(tx, request_id).review
            request = asking.change(tx, agent, request_id, wanted)
            others = (before or {}).get("assignees") != (request.review or {}).get("assignees")
            return request, assignees.reach(tx, agent, request.loop_id, wanted.review, inviting=others)

        changed, notes = await self._store.write(unit)
        self._heed_request(changed)
        return changed, notes

    async def cancel(self, agent: Agent, request_id: str) -> tuple[ReviewRequest, str]:
        """Withdraw. See `asking.cancel`."""
        return await self._store.write(lambda tx: asking.cancel(tx, agent, request_id))

    async def deliver(self, agent: Agent, request_id: str) -> ReviewRequest:
        """The agent has the result. See `asking.deliver`."""
        return await self._store.write(lambda tx: asking.deliver(tx, agent, request_id))

    async def add_feedback(self, agent: Agent, request_id: str, given: dict[str, Any]) -> dict[str, Any]:
        """What the creator says about an answer. See `feedback.add`."""
        return await self._store.write(lambda tx: feedback.add(tx, agent, request_id, given))

    async def claim(self, person: Person, request_id: str) -> ReviewRequest:
        """Take for a while. See `deciding.claim`."""
        return await self._store.write(lambda tx: deciding.claim(tx, person, request_id))

    async def release(self, person: Person, request_id: str) -> ReviewRequest:
        """Give back. See `deciding.release`."""
        return await self._store.write(lambda tx: deciding.release(tx, person, request_id))

    async def decide(self, person: Person, request_id: str, answer: NewAnswer) -> Decided:
        """A person's answer; where the loop wants that, one that can be taken back. See `deciding.decide`."""
        decided = await self._store.write(lambda tx: deciding.decide(tx, person, request_id, answer))
        if decided.held_until is not None:
            self._heed(decided.held_until)
        if decided.escalated:
            self._heed_request(decided.request)
        return decided

    async def decide_many(self, person: Person, answers: Sequence[tuple[str, NewAnswer]]) -> list[Recorded]:
        """Up to 100 answers, each a decision of its own. Raises: BadRequest for more. See `many.decide`."""
        return await many.decide(lambda request_id, answer: self.decide(person, request_id, answer), answers)

    async def undo(self, person: Person, request_id: str) -> ReviewRequest:
        """Take one's own answer back. See `holding.undo`."""
        return await self._store.write(lambda tx: holding.undo(tx, person, request_id))

    async def reassign(self, person: Person, request_id: str, user_id: str | None, words: str = "") -> ReviewRequest:
        """Hand on to a member of the loop. See `handing.reassign`."""
        return await self._store.write(lambda tx: handing.reassign(tx, person, request_id, user_id, words))

    async def ask_back(self, person: Person, request_id: str, question: str) -> ReviewRequest:
        """Ask the agent before deciding. See `asking_back.ask_back`."""
        return await self._store.write(lambda tx: asking_back.ask_back(tx, person, request_id, question))

    async def decide_in_client(self, agent: Agent, request_id: str, answer: NewAnswer) -> ReviewRequest:
        """An answer that a client passes on. See `deciding.decide_in_client`."""
        by_default = self._client_answers
        return await self._store.write(
            lambda tx: deciding.decide_in_client(tx, agent, request_id, answer, by_default=by_default)
        )

    async def escalate(self, person: Person, request_id: str, reason: str) -> ReviewRequest:
        """A reviewer takes the next step of the ladder. See `escalating.escalate`."""
        request = await self._store.write(lambda tx: escalating.escalate(tx, person, request_id, reason))
        self._heed_request(request)
        return request

    async def set_ladder(self, person: Person, loop_id: str, ladder: Ladder | None) -> None:
        """Set how a loop's requests climb, also those that are open. See `ladders.save`."""

        def unit(tx: Tx) -> None:
            ladders.save(tx, person, loop_id, ladder)
            escalating.apply_ladder(tx, loop_id)

        await self._store.write(unit)
        self._heed(0)

    async def act_on_due(self) -> int:
        """Do everything whose time has come, in short transactions; returns how much."""
        done = 0
        for kind in DUE:
            while (some := await self._store.write(kind.act)) > 0:
                done += some
        return done

    async def nearest_due(self) -> int | None:
        """When the next of it is due, in milliseconds since 1970."""
        return await self._store.read(nearest)

    def _heed_request(self, request: ReviewRequest) -> None:
        # what climbs a ladder has more that is due than its deadline: the timers look for all of it
        self._heed(milliseconds(request.timeout_at) if request.escalation is None else 0)

    def _heed(self, due: int) -> None:
        for listener in self._on_due:
            listener(due)


def _create(
    tx: Tx, *, agent: Agent, loop_id: str, asked: Asked, once_key: str | None, by_default: bool, has_desktop: bool
) -> Created:
    place = loops.before_asking(tx, agent, loop_id, COUNTED_AHEAD)
    taken = client_answers.taken(place.client_answers, asked.new.priority, by_default=by_default)
    digest = once.asked_digest(loop_id, asked.new) if once_key else ""
    earlier = once.earlier(tx, agent, once_key, digest) if once_key else None
    if earlier is not None:
        notes = assignees.reach(tx, agent, loop_id, asked.new.review, inviting=False)
        taken = client_answers.taken(place.client_answers, earlier.request.priority, by_default=by_default)
        return _reply(earlier.request, place.reached, notes, taken, joined=True, repeat=earlier.repeat)
    request = asking.create(
        tx, agent, loop_id, asked, reminding=place.has_channels, ladder=place.has_ladder, told_anyhow=has_desktop
    )
    notes = assignees.reach(tx, agent, loop_id, asked.new.review)
    told = people.tell(tx, request.id, loop_id, "created") if place.has_channels else 0
    if told < place.reached and not has_desktop:
        notes.append(untold(told, place.reached, has_channels=place.has_channels))
    if once_key:
        once.remember(tx, agent, once_key, digest, request.id)
    return _reply(request, place.reached, notes, taken, ahead=place.ahead, told=told)


def _reply(
    request: ReviewRequest,
    reviewers: int,
    notes: list[str],
    client_answers: bool,
    *,
    joined: bool = False,
    repeat: bool = False,
    ahead: int = 0,
    told: int = 0,
) -> Created:
    return Created(
        request_id=request.id,
        status=request.status,
        processing_type=request.processing_type,
        type=request.type,
        priority=request.priority,
        timeout_at=request.timeout_at,
        broadcasted_to=reviewers,
        notifications_sent=told,
        polling_url=REQUEST.format(request_id=request.id),
        joined=joined,
        repeat=repeat,
        open_ahead=ahead,
        client_answers=client_answers,
        notes=notes,
        request=request,
    )
