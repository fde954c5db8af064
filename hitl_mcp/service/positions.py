"""Which positions of the log have been seen, where commits may become visible out of order (H23).

A position below one that was seen may be *missing*: its transaction still runs, or was rolled back. A missing one is
looked for until it appears, or until every transaction that could have taken it has ended without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

WINDOW = 10_000
"""A jump of the sequence (a restored database) is no gap: nobody holds so many positions at once."""


@dataclass(slots=True)
class Positions:
    """What a reader of the log has seen.

    Attributes:
        last: the highest position that was seen.
        missing: positions below it that were not, each with the number above every transaction that could have taken
            it (see `store.commit_order`).
    """

    last: int = 0
    missing: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def cursor(self) -> int:
        """Where to resume from: up to here nothing can appear any more."""
        return min(self.missing, default=self.last + 1) - 1

    def gaps(self, fresh: Iterable[int]) -> list[int]:
        """What would be missing once these positions, in order and all above `last`, are seen."""
        found: list[int] = []
        before = self.last
        for position in fresh:
            found.extend(range(max(before + 1, position - WINDOW), position))
            before = position
        return found

    def saw(self, seen: Sequence[int], gaps: Iterable[int], bound: int) -> None:
        """Take note of positions that were read, and of the gaps between them.

        Args:
            bound: a number above every transaction that had begun when the gaps were found.
        """
        for position in seen:
            self.missing.pop(position, None)
            self.last = max(self.last, position)
        self.missing.update(dict.fromkeys(gaps, bound))

    def ended(self, oldest_open: int) -> None:
        """Give up what no transaction can bring any more. Call it when the missing ones have been looked for *after*
        `oldest_open` was read."""
        self.missing = {position: bound for position, bound in self.missing.items() if bound > oldest_open}
