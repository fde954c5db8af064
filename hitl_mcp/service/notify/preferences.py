"""What a person wants to be told of, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from zoneinfo import available_timezones

from sqlalchemy import bindparam, select, update

from hitl_mcp.contract.states import Priority
from hitl_mcp.errors import BadRequest
from hitl_mcp.service.notify.quiet import BREAKS_QUIET, DAY_MINUTES, NEVER
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import loops, members, users

LEAST = (*(priority.value for priority in Priority), NEVER)
"""What may be said of a least priority."""
_PLACES = ("Africa/", "America/", "Antarctica/", "Arctic/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/",
           "Pacific/")  # fmt: skip

_person = select(users).where(users.c.id == bindparam("person"))
_loops = (
    select(loops.c.id, loops.c.name, members.c.notify_from)
    .join(members, members.c.loop_id == loops.c.id)
    .where(members.c.user_id == bindparam("person"), members.c.status == "active", loops.c.archived_at.is_(None))
    .order_by(loops.c.created_at, loops.c.id)
)


@dataclass(frozen=True, slots=True)
class Preferences:
    """A person's own.

    Attributes:
        time_zone: an IANA name; None: not said, so UTC.
        quiet_from: minutes of the person's day.
        quiet_until: the same; it may be the next day's.
        breaks_quiet: the least priority that is told in quiet hours, or `none`.
        reminders: told again before a deadline.
    """

    time_zone: str | None = None
    quiet_from: int | None = None
    quiet_until: int | None = None
    breaks_quiet: str = BREAKS_QUIET.value
    reminders: bool = True


@dataclass(frozen=True, slots=True)
class LoopChoice:
    """From which priority on a person is told of a loop's requests; `none`: of none."""

    id: str
    name: str
    least: str


def of_person(tx: Tx, user_id: str) -> Preferences:
    """What a person has said, else what holds for everybody."""
    row = tx.connection.execute(_person, {"person": user_id}).one()
    return Preferences(
        row.time_zone, row.quiet_from, row.quiet_until, row.breaks_quiet or BREAKS_QUIET.value, row.reminders != 0
    )


def by_loop(tx: Tx, user_id: str) -> list[LoopChoice]:
    """The person's loops, oldest first."""
    found = tx.connection.execute(_loops, {"person": user_id})
    return [LoopChoice(row.id, row.name, row.notify_from or Priority.LOW.value) for row in found]


def save(tx: Tx, user_id: str, wanted: Preferences, least: Mapping[str, str]) -> None:
    """Keep what a person says.

    Args:
        least: by loop; one that the person is no member of is passed over.

    Raises: BadRequest in words for the person.
    """
    if wanted.time_zone is not None and wanted.time_zone not in time_zones():
        raise BadRequest("Choose a time zone from the list")
    times = (wanted.quiet_from, wanted.quiet_until)
    if any(at is not None and not 0 <= at < DAY_MINUTES for at in times) or times.count(None) == 1:
        raise BadRequest("Give both the beginning and the end of your quiet hours, or neither")
    if any(one not in LEAST for one in (wanted.breaks_quiet, *least.values())):
        raise BadRequest("Choose a priority from the list")
    values = {
        "time_zone": wanted.time_zone,
        "quiet_from": wanted.quiet_from,
        "quiet_until": wanted.quiet_until,
        "breaks_quiet": wanted.breaks_quiet,
        "reminders": int(wanted.reminders),
    }
    tx.connection.execute(update(users).where(users.c.id == user_id).values(values))
    for loop_id, one in least.items():
        mine = members.c.loop_id == loop_id, members.c.user_id == user_id
        value = None if one == Priority.LOW.value else one
        tx.connection.execute(update(members).where(*mine).values(notify_from=value))


@cache
def time_zones() -> tuple[str, ...]:
    """The names people choose from. The first call reads a folder of files."""
    return ("UTC", *sorted(name for name in available_timezones() if name.startswith(_PLACES)))
