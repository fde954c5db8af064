"""Which call shows the most of what is waited for (H30). Pure.

One waiting request is simply read. For several a page of the list is: the newest first, while everything waited for is
on it; else, by age, from a remembered place. New requests only append to a list by age, so a place stays right until
something before it is deleted; then it is found again by stepping back. Several pages take turns.

Nothing is ever concluded from absence: what is not where it should be is read by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hitl_mcp.sdk.cloud.schedule import Waiter

PAGE = 100
"""The most that one page holds (contract 2.5)."""
MARGIN = 5
"""How many deletions a page by age survives before its place must be found again."""


class Get(NamedTuple):
    """Read one request."""

    request_id: str


class Page(NamedTuple):
    """Read a page of all requests, unfiltered: a filter would hide what was decided.

    Attributes:
        newest: the newest first; else the oldest first.
        aim: the request that should be on it.
    """

    newest: bool
    offset: int
    aim: str


class Item(NamedTuple):
    """One request on a page, in the page's order."""

    request_id: str
    created: float


@dataclass(slots=True)
class Map:
    """What is known of where requests are. Kept as JSON between looks.

    Attributes:
        places: the position by age of requests that were found by age.
        old: requests that are no longer on the page of the newest, with the positions by age that they lie between:
            `[at least, less than or None]`.
        single: requests to be read by themselves next, because a page lacked them or said too little of them.
    """

    places: dict[str, int] = field(default_factory=dict[str, int])
    old: dict[str, list[int | None]] = field(default_factory=dict[str, "list[int | None]"])
    single: list[str] = field(default_factory=list[str])

    def as_json(self) -> dict[str, Any]:
        """For the share."""
        return {"places": self.places, "old": self.old, "single": self.single}

    def keep(self, waiting: Sequence[Waiter]) -> None:
        """Forget what nobody waits for any more."""
        names = {waiter.request_id for waiter in waiting}
        self.places = {name: place for name, place in self.places.items() if name in names}
        self.old = {name: between for name, between in self.old.items() if name in names}
        self.single = [name for name in self.single if name in names]


def read_map(value: Mapping[str, Any] | None) -> Map:
    """From the share; anything else than what was put there is an empty map."""
    try:
        return Map(**value) if value else Map()
    except TypeError:
        return Map()


def next_call(waiting: Sequence[Waiter], known: Map, aim: Waiter) -> Get | Page:
    """The call that shows one request, and the most of the others that were not seen for long.

    Args:
        waiting: at least one, oldest first.
        aim: the one among them that must be shown.
    """
    known.keep(waiting)
    if known.single:
        return Get(known.single[0])
    name = aim.request_id
    if len(waiting) == 1:
        return Get(name)
    if name in known.places:
        return Page(False, _window(waiting, known, known.places[name]), name)
    if name not in known.old:
        return Page(True, 0, name)
    low, high = known.old[name]
    at = low or 0
    if high is None:  # how long the list is, nobody said
        return Page(False, at * 2 if at else 0, name)
    return Page(False, max(0, (at + high) // 2 - PAGE // 2), name)


def pages(waiting: Sequence[Waiter], known: Map) -> int:
    """How many looks it takes to show everything that is waited for, as far as places are known."""
    names = [one.request_id for one in waiting]
    single = [name for name in names if name in known.single]
    lost = [name for name in names if name in known.old and name not in known.single]
    windows, end = 0, -1
    for place in sorted(known.places[name] for name in names if name in known.places):
        if place >= end:
            windows, end = windows + 1, place + PAGE
    newest = any(name not in known.places and name not in known.old for name in names)
    return max(1, len(single) + len(lost) + windows + newest)


def _window(waiting: Sequence[Waiter], known: Map, aim: int) -> int:
    """Where to begin a page with this place on it, so that it shows the most of what was not seen for long."""
    newest = max(waiter.seen for waiter in waiting)
    ages = [
        (known.places[one.request_id], newest - one.seen + 1) for one in waiting if one.request_id in known.places
    ]  # fmt: skip
    starts = [place for place, _ in ages if aim - PAGE < place <= aim]
    first = max(starts, key=lambda start: sum(age for place, age in ages if start <= place < start + PAGE))
    spread = max(place for place, _ in ages if place < first + PAGE) - first
    return max(0, first - min(MARGIN, PAGE - 1 - spread))


def learn(known: Map, call: Get | Page, items: Sequence[Item], total: int | None, waiting: Sequence[Waiter]) -> None:
    """What an answer says of places.

    Args:
        items: what was on the page; for a single read it is not looked at.
        total: how many requests there are in all, where the cloud says so.
        waiting: as for `next_call`.
    """
    if isinstance(call, Get):
        known.single = [name for name in known.single if name != call.request_id]
        return
    waited = {waiter.request_id: waiter for waiter in waiting}
    if call.newest:
        _learn_newest(known, items, total, waited)
        return
    for index, item in enumerate(items):
        if item.request_id in waited:
            known.places[item.request_id] = call.offset + index
            known.old.pop(item.request_id, None)
    if call.aim in waited and all(item.request_id != call.aim for item in items):
        _missed(known, call, items, waited[call.aim])


def _learn_newest(known: Map, items: Sequence[Item], total: int | None, waited: Mapping[str, Waiter]) -> None:
    found = {item.request_id: index for index, item in enumerate(items)}
    for name in waited:
        if name in found:
            if total is not None and total > found[name]:
                known.places[name] = total - 1 - found[name]
        elif name not in known.places and name not in known.old:
            if len(items) < PAGE:
                known.single.append(name)  # it is the whole list, and it is not in it
            else:
                known.old[name] = [0, None if total is None else max(0, total - len(items))]


def _missed(known: Map, call: Page, items: Sequence[Item], aim: Waiter) -> None:
    """The aim was not on the page by age: narrow down where it is."""
    name = aim.request_id
    known.places.pop(name, None)
    low, high = known.old.get(name, [None, None])
    before = bool(items) and items[-1].created < aim.created and len(items) >= PAGE  # it comes after this page
    after = not items or items[0].created > aim.created
    if before:
        low = call.offset + len(items)
    elif after:
        high = call.offset
        if name not in known.old:  # something was deleted: it is a little before
            low = max(0, call.offset - PAGE)
    if not (before or after) or (high is not None and high <= (low or 0)):
        known.single.append(name)
        known.old.pop(name, None)
    else:
        known.old[name] = [low or 0, high]
