"""The page of a loop's ladder: whoever belongs to the loop reads it, its owners set it up (H9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl_mcp.contract.answers import first_fault
from hitl_mcp.contract.escalation import MAX_STEPS, Ladder, LadderStep
from hitl_mcp.errors import BadRequest, NotFound
from hitl_mcp.service import ladders, loops
from hitl_mcp.service.actors import Person
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.forms import text_of
from hitl_mcp.service.inbox.loop_pages import id_in
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import Visit, posted, visit_of
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.membership import is_member
from hitl_mcp.service.notify import channels
from hitl_mcp.service.search.people import answerers
from hitl_mcp.service.store.base import Tx

_NUMBERS = ("after_percent", "after_minutes", "extend_minutes")
_TEXTS = ("from_priority", "on_option", "to_loop", "raise_priority_to")
_TICKS = ("unless_claimed", "nobody_reachable")
_LISTS = ("to_people", "to_channels")
_BLANK = {"unless_claimed": "1", "from_priority": "low"}
"""A step that nobody has filled in yet."""
_EMPTY: dict[str, Any] = dict.fromkeys((*_NUMBERS, *_TEXTS, *_TICKS), "") | {name: [] for name in _LISTS}


class Escalations:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        one = "/loops/{loop_id:str}/escalation"
        return (Route(one, self.show), Route(one, self.save, methods=["POST"]))

    async def show(self, request: Request) -> Response:
        """The ladder as it is."""
        return await self._shown(id_in(request), await visit_of(request, self._services))

    async def save(self, request: Request) -> Response:
        """Set the ladder up; without a step the loop has none."""
        visit, form = await posted(request, self._services)
        loop_id = id_in(request)
        typed = [step for step in _typed(form) if step != _BLANK]
        bound = text_of(form, "extend_at_most_percent").strip() or "100"
        try:
            wanted = {"steps": [_meant(step) for step in typed], "extend_at_most_percent": bound}
            ladder = Ladder.model_validate(wanted) if typed else None
            await self._services.lifecycle.set_ladder(visit.person, loop_id, ladder)
        except ValidationError as fault:
            return await self._shown(loop_id, visit, typed, bound, _in_words(fault))
        except BadRequest as fault:
            return await self._shown(loop_id, visit, typed, bound, f"{fault.message}: {fault.details}.")
        return RedirectResponse(f"/loops/{loop_id}/escalation", 303)

    async def _shown(
        self,
        loop_id: str,
        visit: Visit,
        typed: list[dict[str, Any]] | None = None,
        bound: str = "",
        fault: str = "",
    ) -> Response:
        def read(tx: Tx) -> dict[str, Any]:
            me = visit.person.user_id
            if not is_member(tx, loop_id, me):
                raise NotFound("Loop not found")
            ladder = ladders.of_loop(tx, loop_id)
            joined = {loop.id: loop.name for loop in loops.joined(tx, me)}
            named: set[str] = set() if ladder is None else {step.to_loop for step in ladder.steps if step.to_loop}
            led_to = {loop_id, *named, *(str(step.get("to_loop")) for step in typed or ())} & joined.keys()
            far = {one: loops.named(tx, one) for one in named if one not in joined}
            return {
                "ladder": ladder,
                "here": loops.found(tx, loop_id),
                "loops": {one: name for one, name in (joined | far).items() if one != loop_id},
                "people": {one: answerers(tx, one) for one in led_to},
                "channels": _channels(tx, visit.person, ladder),
                "may_change": ladders.keeps(tx, visit.person, loop_id),
            }

        found = await self._services.store.scan(read)
        ladder: Ladder | None = found["ladder"]
        steps = typed if typed is not None else [] if ladder is None else [_as_typed(one) for one in ladder.steps]
        kept = len(steps)
        if found["may_change"] and kept < MAX_STEPS:
            steps = [*steps, dict(_BLANK)]
        values = found | {
            "steps": [_EMPTY | step for step in steps],
            "kept": kept,
            "bound": bound or str(100 if ladder is None else ladder.extend_at_most_percent),
            "fault": fault,
        }
        return page("escalation.html", 422 if fault else 200, page="loops", visit=visit, **values)


def _channels(tx: Tx, person: Person, ladder: Ladder | None) -> dict[str, str]:
    """The names of the person's own channels, and of others' that the ladder has already."""
    mine = [one for one in channels.of_person(tx, person.user_id) if one.kind == channels.APPRISE]
    named = [] if ladder is None else [one for step in ladder.steps for one in step.to_channels]
    others = [found for one in named if (found := channels.find(tx, one)) is not None]
    return {one.id: one.name for one in (*mine, *others)}


def _typed(form: FormData) -> list[dict[str, Any]]:
    """The steps as they stand in the form, without those that are to go."""
    found: list[dict[str, Any]] = []
    for number in range(MAX_STEPS + 1):
        at = f"s{number}-"
        if f"{at}from_priority" not in form or text_of(form, f"{at}remove"):
            continue
        step: dict[str, Any] = {
            name: text for name in (*_NUMBERS, *_TEXTS, *_TICKS) if (text := text_of(form, at + name).strip())
        }
        told = {name: [str(one) for one in form.getlist(at + name)] for name in _LISTS}
        found.append(step | {name: ids for name, ids in told.items() if ids})
    return found


def _meant(typed: Mapping[str, Any]) -> dict[str, Any]:
    """A step of the form as the model reads it."""
    return {**typed, **{name: typed.get(name) == "1" for name in _TICKS}}


def _as_typed(step: LadderStep) -> dict[str, Any]:
    """A step as the form shows it."""
    given = step.model_dump(mode="json", exclude_none=True)
    shown = {name: str(value) for name, value in given.items() if name in (*_NUMBERS, *_TEXTS) and value}
    ticks = {name: "1" for name in _TICKS if given[name]}
    return shown | ticks | {name: given[name] for name in _LISTS if given[name]}


def _in_words(error: ValidationError) -> str:
    where, why = first_fault(error)
    if where[:1] == ["steps"] and len(where) > 1:
        return _("Step {number}: {why}.").format(number=int(where[1]) + 1, why=": ".join([*where[2:], why]))
    return f"{': '.join([*where, why])}."
