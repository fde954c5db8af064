"""What an error of PostgreSQL means: for the store (try again?) and in words for people."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hitl_mcp.errors import ServiceFault

RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is known about a failed transaction.

    Attributes:
        fault: for the caller.
        again: running the unit again may succeed.
        lost: the connection is no longer of use; during COMMIT the outcome is then unknown.
    """

    fault: ServiceFault
    again: bool = False
    lost: bool = False


def meaning(error: BaseException) -> Meaning | None:
    """What an error of the database or of the way to it means; None for an error of the unit itself."""
    if isinstance(error, PoolTimeout):
        return Meaning(
            _fault("The database is busy, so nothing was changed. Try again in a moment", "busy", later=True)
        )
    if isinstance(error, OSError):  # with it TimeoutError: the statement's bound, or the network's
        return _unreachable(type(error).__name__)
    if not isinstance(error, DBAPIError):
        return None
    if isinstance(error.orig, OSError):
        return _unreachable(type(error.orig).__name__)
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if error.connection_invalidated or state.startswith(("08", "57P", "53300")) or "is closed" in str(error.orig):
        return _unreachable(state or "closed")
    if state.startswith("40"):
        return Meaning(_fault("Too many changes met, so this one was not made", state, later=True), again=True)
    if state == "23505":  # two units found nothing and both made it: run again, the later one finds the other's
        return Meaning(
            _fault(f"The database refused the change ({error.orig}). Nothing was changed", state), again=True
        )
    if "InvalidCachedStatement" in type(error.orig).__name__:  # the schema was changed beneath an open connection
        return Meaning(_fault("The database's schema has just changed. Nothing was done", state), again=True, lost=True)
    for prefix, words in _WORDS.items():
        if state.startswith(prefix):
            return Meaning(_fault(words, state, later=state in _PASSING), lost=state == "25P03")
    return Meaning(_fault(f"The database refused the change ({error.orig}). Nothing was changed", state))


def unknown_outcome() -> ServiceFault:
    """For a COMMIT that nobody can say anything about."""
    return ServiceFault(
        "The connection to the database broke while the change was being kept, so it is not known whether it was. Ask "
        "for the request's state before trying again"
    )


def _unreachable(why: str) -> Meaning:
    words = "The database cannot be reached, so nothing was changed. Try again in a moment"
    return Meaning(_fault(words, why, later=True), again=True, lost=True)


def _fault(words: str, state: str, *, later: bool = False) -> ServiceFault:
    details: dict[str, object] = {"postgresql": state}
    return ServiceFault(words, details | {"retry_after": RETRY_AFTER_SECONDS} if later else details)


_PASSING = ("57014", "55P03", "25P03")
_WORDS = {
    "57014": "The database took too long, so nothing was changed. Try again in a moment",
    "55P03": "The database took too long, so nothing was changed. Try again in a moment",
    "25P03": "The change took too long, so nothing was changed. Try again in a moment",
    "53100": "The disk of the database is full, so nothing was changed. Free some space, then try again",
    "25006": "The database takes no changes here (it is read-only), so nothing was changed",
    "42501": "The database's user may not do this, so nothing was changed. Grant it the rights on its tables",
    "42P01": "The database lacks a table of hitl-mcp. Run: hitl-mcp migrate",
    "42703": "The database lacks a column of hitl-mcp. Run: hitl-mcp migrate",
}
