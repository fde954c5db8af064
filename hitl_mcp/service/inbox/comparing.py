"""Two texts word by word, in a bounded number of steps: agents write the texts, and may make them slow to compare."""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_PAIRS = 100_000
"""Pairs of words that two texts may have between them, but for what they begin and end with alike."""
PAIRS_OF_A_PAGE = 1_000_000
"""All comparisons of one page together."""

_WORDS = re.compile(r"\s+|[^\s]+")

Pieces = list[tuple[str, str]]
"""(`same` | `old` | `new`, text)."""


class Comparing:
    """Compares the texts of one page. What is too much is shown as old and new, whole.

    Args:
        pairs: how many pairs of words are looked at in all.
    """

    def __init__(self, pairs: int = PAIRS_OF_A_PAGE) -> None:
        self._left = pairs

    def compared(self, old: str, new: str) -> Pieces:
        """Two texts word by word."""
        before, after = _WORDS.findall(old), _WORDS.findall(new)
        head, tail = _alike(before, after)
        end, other_end = len(before) - tail, len(after) - tail
        middle = self._middle(before[head:end], after[head:other_end])
        return _joined([("same", "".join(before[:head])), *middle, ("same", "".join(before[end:]))])

    def _middle(self, before: Sequence[str], after: Sequence[str]) -> Pieces:
        pairs = len(before) * len(after)
        if pairs == 0 or pairs > min(MAX_PAIRS, self._left):
            return [("old", "".join(before)), ("new", "".join(after))]
        self._left -= pairs
        return _walked(before, after)


def _alike(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    """How many words both begin with, and how many of the rest both end with."""
    most = min(len(before), len(after))
    head = next((place for place in range(most) if before[place] != after[place]), most)
    most -= head
    tail = next((place for place in range(most) if before[-1 - place] != after[-1 - place]), most)
    return head, tail


def _walked(before: Sequence[str], after: Sequence[str]) -> Pieces:
    """By the longest sequence of words that both have."""
    longest = [[0] * (len(after) + 1)]
    for word in reversed(before):
        below, row = longest[-1], [0] * (len(after) + 1)
        for place in range(len(after) - 1, -1, -1):
            if word == after[place]:
                row[place] = below[place + 1] + 1
            else:
                row[place] = below[place] if below[place] >= row[place + 1] else row[place + 1]
        longest.append(row)
    longest.reverse()
    pieces: Pieces = []
    one = other = 0
    while one < len(before) or other < len(after):
        if one < len(before) and other < len(after) and before[one] == after[other]:
            pieces.append(("same", before[one]))
            one, other = one + 1, other + 1
        elif other == len(after) or (one < len(before) and longest[one + 1][other] >= longest[one][other + 1]):
            pieces.append(("old", before[one]))
            one += 1
        else:
            pieces.append(("new", after[other]))
            other += 1
    return pieces


def _joined(pieces: Pieces) -> Pieces:
    """Between two stretches that stayed, first all that went, then all that came."""
    found: Pieces = []
    went, came = "", ""
    for kind, text in [*pieces, ("same", "")]:
        if kind == "old":
            went += text
        elif kind == "new":
            came += text
        else:
            found += [(name, part) for name, part in (("old", went), ("new", came)) if part]
            went = came = ""
            if text and found and found[-1][0] == "same":
                found[-1] = ("same", found[-1][1] + text)
            elif text:
                found.append(("same", text))
    return found
