"""Which loop a review goes to (D22)."""

from __future__ import annotations

from collections.abc import Sequence

from hitl_mcp.contract.answers import slug
from hitl_mcp.contract.models import Loop
from hitl_mcp.errors import BadRequest


def chosen_loop(loops: Sequence[Loop], wanted: str | None) -> str:
    """The id of the loop that an id, a name or the slug of one means; of the only loop, when nothing is said.

    Raises: BadRequest that lists them.
    """
    listed = ", ".join(f"{loop.name!r} ({loop.id})" for loop in loops) or "none"
    if wanted is None:
        if len(loops) == 1:
            return loops[0].id
        raise BadRequest("Say which loop this goes to, as loop_id or HITL_LOOP", f"there are: {listed}")
    found = [loop.id for loop in loops if loop.id == wanted.lower()]
    found = found or [loop.id for loop in loops if loop.name == wanted]
    found = found or [loop.id for loop in loops if slug(loop.name) == slug(wanted)]
    if len(found) != 1:
        raise BadRequest(f"{wanted!r} names {len(found) or 'no'} loop{'s' if found else ''}", f"there are: {listed}")
    return found[0]
