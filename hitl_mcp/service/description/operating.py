"""How the replies of the operator's operations look."""

from __future__ import annotations

from hitl_mcp.contract.figures import Figures
from hitl_mcp.service.description.shapes import Shape


class LogEntry(Shape):
    """An entry of the event log with what its hashes are taken over; `data` is canonical text."""

    kind: str
    position: int
    request_id: str
    seq: int
    type: str
    actor: str
    at: int
    data: str
    data_hash: str
    previous_hash: str
    hash: str


class LogPage(Shape):
    """A page of the event log, after a position."""

    after: int
    entries: list[LogEntry]


class AnchorTaken(Shape):
    """How many anchors were added to the file outside the database, where there is one."""

    written: int
    outside: bool


class Emptied(Shape):
    """How many requests lost their texts, or would."""

    requests: int
    days: int
    how: str


class TeamFigures(Shape):
    """A team's figures."""

    figures: Figures
