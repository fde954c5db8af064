"""Plots as shapes, worked out before the template draws them: no script, no styles in the page.

Every plot has its numbers in a table beside it, so a plot may leave out what has no room.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hitl_mcp.contract.figures import OUTCOMES, Day
from hitl_mcp.service.inbox.texts import N_, _
from hitl_mcp.service.inbox.words import day as short

WIDTH, HEIGHT = 360, 190
LEFT, RIGHT, TOP, BOTTOM = 50, 18, 10, 24
"""Room for the scale at the left and the days below."""
SPANS = {
    1: N_("1 s"),
    60: N_("1 min"),
    900: N_("15 min"),
    3_600: N_("1 h"),
    14_400: N_("4 h"),
    86_400: N_("24 h"),
    604_800: N_("7 d"),
}
"""Lines of the scale of times, which is logarithmic: a minute and a day are both to be seen."""
NAMES = {
    "approved": N_("Approved"),
    "rejected": N_("Rejected"),
    "needs_changes": N_("Needs changes"),
    "answered": N_("Answered"),
    "timeout": N_("Timed out"),
    "cancelled": N_("Withdrawn"),
}
"""Outcomes in words; said by `_()`."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle. `tone` names its style."""

    x: float
    y: float
    width: float
    height: float
    tone: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A line of a scale, or a day below: where it stands and what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars, lines (as points of a polyline) with dots, and what stands beside them."""

    across: Sequence[Mark]
    down: Sequence[Mark]
    bars: Sequence[Bar] = ()
    lines: Sequence[tuple[str, str]] = ()
    dots: Sequence[tuple[float, float, str]] = ()


def volume(days: Sequence[Day]) -> Plot:
    """What was closed each day, by what became of it, one on the other."""
    step = _nice(max((day.closed for day in days), default=0))
    top = step * 4
    width = (WIDTH - LEFT - RIGHT) / len(days)
    bars: list[Bar] = []
    for index, day in enumerate(days):
        base = 0
        for outcome in OUTCOMES:
            count = int(getattr(day, outcome))
            if count:
                high = _y((base + count) / top)
                bars.append(Bar(_x(index, width) + width * 0.1, high, width * 0.8, _y(base / top) - high, outcome))
                base += count
    scale = [Mark(_y(index / 4), f"{step * index:g}") for index in range(5)]
    return Plot(_dates(days, width), scale, bars)


def response_times(days: Sequence[Day]) -> Plot:
    """How long answers took each day: half of them, and nearly all."""
    known = [seconds for day in days for seconds in (day.median_seconds, day.p95_seconds) if seconds is not None]
    low, high = _decades(known)
    width = (WIDTH - LEFT - RIGHT) / len(days)

    def y(seconds: float) -> float:
        share = (math.log(max(seconds, low)) - math.log(low)) / (math.log(high) - math.log(low))
        return _y(min(1.0, share))

    dots: list[tuple[float, float, str]] = []
    lines: list[tuple[str, str]] = []
    for tone in ("median", "p95"):
        points = [
            (round(_x(index, width) + width / 2, 1), round(y(seconds), 1))
            for index, day in enumerate(days)
            if (seconds := getattr(day, f"{tone}_seconds")) is not None
        ]
        lines.append((tone, " ".join(f"{x},{height}" for x, height in points)))
        dots += [(x, height, tone) for x, height in points]
    scale = [Mark(y(seconds), _(text)) for seconds, text in SPANS.items() if low <= seconds <= high]
    return Plot(_dates(days, width), scale, lines=lines, dots=dots)


def _decades(known: Sequence[float]) -> tuple[float, float]:
    """The scale's ends: the lines of it around the values."""
    edges = [float(seconds) for seconds in SPANS]
    low = max((edge for edge in edges if known and edge <= min(known)), default=edges[0])
    high = min((edge for edge in edges if known and edge >= max(known)), default=edges[-1])
    return (low, high) if low < high else (edges[0], edges[-1])


def _nice(most: int) -> int:
    """A step of 1, 2 or 5 times a power of ten, four of which hold the most."""
    wanted, step = max(1, math.ceil(most / 4)), 1
    while True:
        for factor in (1, 2, 5):
            if step * factor >= wanted:
                return step * factor
        step *= 10


def _x(index: int, width: float) -> float:
    return LEFT + index * width


def _y(share: float) -> float:
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 2)


def _dates(days: Sequence[Day], width: float) -> list[Mark]:
    """Some of the days, so that none stands in another: the last always."""
    every = max(1, math.ceil(len(days) / 6))
    return [
        Mark(_x(index, width) + width / 2, short(day.date))
        for index, day in enumerate(days)
        if (len(days) - 1 - index) % every == 0
    ]


def legend() -> list[tuple[str, str]]:
    """Outcomes with their words."""
    return [(outcome, _(NAMES[outcome])) for outcome in OUTCOMES]
