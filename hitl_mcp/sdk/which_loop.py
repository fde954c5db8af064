"""Which loop is meant (D22), said in one place for tools, reviews and old bodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hitl_mcp.contract.configs import slug
from hitl_mcp.contract.models import Loop
from hitl_mcp.errors import BadRequest


class HasLoops(Protocol):
    """Where loops are listed."""

    async def list_loops(self, *, fresh: bool = False) -> list[Loop]:
        """Every loop the key may ask in; `fresh`: ask the backend whatever is remembered."""
        ...


async def find_loop(place: HasLoops, wanted: str | None, source: str = "loop_id or HITL_LOOP") -> Loop:
    """The loop that an id, a name or the slug of one means; the only loop, when nothing is said.

    Args:
        source: where the name was said, for the error.

    Raises: BadRequest that lists them.
    """
    try:
        return _chosen(await place.list_loops(), wanted, source)
    except BadRequest:
        return _chosen(await place.list_loops(fresh=True), wanted, source)  # made since the list was remembered


def _chosen(loops: Sequence[Loop], wanted: str | None, source: str) -> Loop:
    listed = "There are: " + (", ".join(f"{loop.name!r} ({loop.id})" for loop in loops) or "none")
    if wanted is None:
        if len(loops) == 1:
            return loops[0]
        raise BadRequest(f"Say which loop this goes to, as {source}", listed)
    found = [loop for loop in loops if loop.id == wanted.lower()]
    found = found or [loop for loop in loops if loop.name == wanted]
    found = found or [loop for loop in loops if slug(wanted) and slug(loop.name) == slug(wanted)]
    if len(found) != 1:
        raise BadRequest(f"{source} {wanted!r} names {len(found) or 'no'} loop{'s' if found else ''}", listed)
    return found[0]
