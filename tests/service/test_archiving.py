"""A loop is archived in the moment in which something is asked in it, or climbs to it: one is refused (H9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

import anyio
import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.escalation import Ladder
from hitl_mcp.contract.states import Channel
from hitl_mcp.errors import Conflict
from hitl_mcp.service.actors import Person
from tests.service.stage import Place, Stage, stage

pytestmark = pytest.mark.anyio

ROUNDS = 25
QUESTION = {"kind": "approval", "processing_type": "deferred", "type": "markdown", "request_text": "May I?"}


async def new_loop(on: Stage, name: str) -> str:
    """A loop of the machine's user; its id."""
    made = await on.wire.send("POST", routes.LOOPS, {"name": name, "icon": "check"})
    return str(made.data["loop"]["id"])


async def archived(on: Stage, loop_id: str) -> bool:
    """Whether a loop could be archived now."""
    return (await on.wire.send("DELETE", routes.LOOP.format(loop_id=loop_id))).status == 200


async def at_once(archive: Callable[[], Awaitable[bool]], ask: Callable[[], Awaitable[bool]]) -> tuple[bool, bool]:
    """What came of both."""
    came: dict[str, bool] = {}

    async def note(name: str, act: Callable[[], Awaitable[bool]]) -> None:
        came[name] = await act()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(note, "archive", archive)
        tasks.start_soon(note, "ask", ask)
    return came["archive"], came["ask"]


async def test_a_loop_is_not_archived_while_something_is_asked_in_it(place: Place) -> None:
    async with stage(place) as on:
        came: Counter[tuple[bool, bool]] = Counter()
        for number in range(ROUNDS):
            loop_id = await new_loop(on, f"Loop {number}")
            where = routes.LOOP_REQUESTS.format(loop_id=loop_id)

            async def ask(where: str = where) -> bool:
                return (await on.wire.send("POST", where, QUESTION)).status == 201

            async def archive(loop_id: str = loop_id) -> bool:
                return await archived(on, loop_id)

            came[await at_once(archive, ask)] += 1
        assert came.keys() <= {(True, False), (False, True)}, came


async def test_a_loop_is_not_archived_while_something_climbs_to_it(place: Place) -> None:
    async with stage(place) as on:
        person = Person(on.services.account.user_id, "Ada", Channel.INBOX)
        came: Counter[tuple[bool, bool]] = Counter()
        for number in range(ROUNDS):
            low, high = await new_loop(on, f"Low {number}"), await new_loop(on, f"High {number}")
            await on.services.lifecycle.set_ladder(person, low, Ladder.model_validate({"steps": [{"to_loop": high}]}))
            asked = await on.wire.send("POST", routes.LOOP_REQUESTS.format(loop_id=low), QUESTION)
            request_id = str(asked.data["request_id"])

            async def climb(request_id: str = request_id) -> bool:
                try:
                    await on.services.lifecycle.escalate(person, request_id, "go on")
                except Conflict:
                    return False
                return True

            async def archive(loop_id: str = high) -> bool:
                return await archived(on, loop_id)

            came[await at_once(archive, climb)] += 1
        assert came.keys() <= {(True, False), (False, True)}, came
