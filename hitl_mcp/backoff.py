"""How long to wait before the next attempt: longer each time, within a bound, and never in step with others."""

from __future__ import annotations

import random

_MAX_DOUBLINGS = 30
"""What fails for a day has failed thousands of times; a number doubled that often is no float any more."""
_own = random.SystemRandom()
"""Not the program's generator: a seed, or the copy in a forked process, would bring many clients into step."""


def pause(first: float, attempt: int, longest: float) -> float:
    """Seconds to wait: `first`, doubled `attempt` times, at most `longest`, of which the last half is drawn."""
    return grown(first, attempt, longest) * drawn(0.5, 1)


def grown(first: float, attempt: int, longest: float) -> float:
    """`first`, doubled `attempt` times, at most `longest`."""
    return min(longest, first * 2 ** min(attempt, _MAX_DOUBLINGS))


def drawn(low: float, high: float) -> float:
    """A number between the two, every one as likely."""
    return _own.uniform(low, high)
