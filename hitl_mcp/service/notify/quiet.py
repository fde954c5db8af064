"""Quiet hours: a person's own hours of the day, in their own time zone."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hitl_mcp.contract.states import Priority
from hitl_mcp.service.clock import milliseconds, moment

DAY_MINUTES = 24 * 60
BREAKS_QUIET = Priority.CRITICAL
"""The least priority that is told in quiet hours, for who has said nothing else."""
NEVER = "none"
"""In place of a least priority: nothing is told."""

_MINUTE_MS = 60_000


def reaches(priority: str, least: str | None) -> bool:
    """Whether a priority is at least `least`; `none` lets nothing through, null everything."""
    if least == NEVER:
        return False
    return least is None or Priority(priority).rank >= Priority(least).rank


def zone_of(name: str | None) -> ZoneInfo:
    """The time zone with an IANA name; UTC for none, and for one that this machine does not know."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def quiet_till(now: int, zone: ZoneInfo, start: int | None, end: int | None) -> int | None:
    """When the quiet hours that hold at `now` end, in milliseconds since 1970; None when none hold.

    Args:
        start: minutes of the person's day; the hours may pass midnight.
        end: the same; where it equals `start`, or one is missing, there are no quiet hours.
    """
    if start is None or end is None or start == end:
        return None
    here = moment(now).astimezone(zone)
    minute = here.hour * 60 + here.minute
    over_midnight = start > end
    quiet = minute >= start or minute < end if over_midnight else start <= minute < end
    if not quiet:
        return None
    day = here.date() + timedelta(days=1 if over_midnight and minute >= start else 0)
    at = datetime.combine(day, time(end // 60, end % 60), tzinfo=zone)
    first, second = (milliseconds(at.replace(fold=fold)) for fold in (0, 1))
    if second < first:  # clocks are set forward over that time of day, and so it is past at that moment
        return _changed_between(second, first, zone)
    # where they are set back an hour comes twice; who is in the second one waits for that one's end
    return next((end for end in (first, second) if end > now), None)


def _changed_between(before: int, after: int, zone: ZoneInfo) -> int:
    """The minute at which the zone's clocks were changed."""
    offset = moment(before).astimezone(zone).utcoffset()
    while after - before > _MINUTE_MS:
        middle = (before + after) // 2 // _MINUTE_MS * _MINUTE_MS
        if moment(middle).astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
