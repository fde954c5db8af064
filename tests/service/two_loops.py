"""Two loops, of which one is above the other; who answers there can take their answers back."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert

from hitl_mcp.service.store import Tx
from hitl_mcp.service.store.tables import members
from tests.service.stage import Stage, add_person
from tests.service.test_escalation import climb_by
from tests.service.test_handing_on import hold_answers

UNDO_SECONDS = 30
EXTEND_MINUTES = 5


async def two_loops(on: Stage, names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The leads' loop above the stage's own, and people by their names, who answer in both."""
    leads = await on.second_loop("Leads")

    def let_in(tx: Tx) -> dict[str, str]:
        people = {name: add_person(tx, on.loop_id, name) for name in names}
        for user_id in people.values():
            row = {"loop_id": leads, "user_id": user_id, "status": "active", "joined_at": tx.now}
            tx.connection.execute(insert(members), row)
        return people

    people = await on.services.store.write(let_in)
    await hold_answers(on, UNDO_SECONDS, leads)
    await climb_by(on, on.loop_id, {"to_loop": leads, "extend_minutes": EXTEND_MINUTES})
    await climb_by(on, leads, {"raise_priority_to": "critical"})
    return leads, people
