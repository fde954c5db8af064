"""How often somebody may guess: wrong passwords and codes, counted in the database for all processes.

A limit is about a hash: of an address together with where the guess comes from, of the address alone, or of where it
comes from alone. The limits about an address alone are wide, so that a stranger makes a person wait a little and never
locks them out; the link by mail and the terminal's code have limits of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, insert, select

from hitl_mcp.errors import TooManyRequests
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import guesses

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Limit:
    """How many guesses are free within an hour, and how the wait grows after them.

    Attributes:
        first_ms: the wait after the last free guess; it doubles with each further one.
        most_ms: the longest wait.
    """

    kind: str
    free: int
    first_ms: int
    most_ms: int

    def about(self, *what: str) -> About:
        """The limit for one address, place, or both."""
        name = hashlib.sha256("\x1f".join((self.kind, *what)).encode()).hexdigest()[:40]
        return About(self, f"{self.kind}:{name}")


@dataclass(frozen=True, slots=True)
class About:
    """One limit for one thing that is guessed at."""

    limit: Limit
    name: str


PASSWORD_HERE = Limit("password-here", free=5, first_ms=15_000, most_ms=15 * 60_000)
"""About an address and an origin."""
PASSWORD_OF = Limit("password-of", free=30, first_ms=5_000, most_ms=60_000)
"""About an address, from wherever."""
PASSWORDS_FROM = Limit("passwords-from", free=60, first_ms=5_000, most_ms=60_000)
"""About an origin: one password tried at many addresses."""
LINK_HERE = Limit("link-here", free=3, first_ms=60_000, most_ms=15 * 60_000)
LINK_TO = Limit("link-to", free=10, first_ms=60_000, most_ms=10 * 60_000)
"""About an address: nobody's mailbox is filled."""
LINKS_FROM = Limit("links-from", free=30, first_ms=30_000, most_ms=5 * 60_000)
INVITATION = Limit("invitation", free=20, first_ms=5_000, most_ms=60_000)
"""About an origin: codes of invitations are short enough to be typed."""

_counted = select(func.count(), func.max(guesses.c.at)).where(
    guesses.c.about == bindparam("name"), guesses.c.at > bindparam("since"), guesses.c.at <= bindparam("now")
)


def check(tx: Tx, *abouts: About) -> None:
    """Whether another guess may be made now. Raises: TooManyRequests with `retry_after` in seconds."""
    wait = max((_wait(tx, about) for about in abouts), default=0)
    if wait > 0:
        seconds = -(-wait // 1000)
        raise TooManyRequests(f"Too many tries. Wait {words_of(seconds)}, then try again", {"retry_after": seconds})


def _wait(tx: Tx, about: About) -> int:
    values = {"name": about.name, "since": tx.now - HOUR_MS, "now": tx.now}
    count, last = tx.connection.execute(_counted, values).one()
    over = count - about.limit.free
    if over < 0:
        return 0
    wait = min(about.limit.most_ms, about.limit.first_ms << min(over, 20))
    return max(0, last + wait - tx.now)


def words_of(seconds: int) -> str:
    """`40 seconds`, `3 minutes`."""
    if seconds < 90:
        return "1 second" if seconds == 1 else f"{seconds} seconds"
    return f"{-(-seconds // 60)} minutes"


def note(tx: Tx, *abouts: About) -> None:
    """Count one guess about each; what is older than the window goes."""
    tx.connection.execute(delete(guesses).where(guesses.c.at <= tx.now - HOUR_MS))
    tx.connection.execute(insert(guesses), [{"about": about.name, "at": tx.now} for about in abouts])


def take(tx: Tx, *abouts: About) -> None:
    """Count a guess before it is made, so that many at once are no way around. Raises: TooManyRequests."""
    check(tx, *abouts)
    note(tx, *abouts)


def forget(tx: Tx, abouts: Sequence[About]) -> None:
    """It was no guess: the password was right."""
    names = [about.name for about in abouts]
    tx.connection.execute(delete(guesses).where(guesses.c.about.in_(names)))
