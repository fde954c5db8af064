"""One key for one question, over every attempt of a call that is repeated (D12).

A function that is repeated as a whole creates its requests again each time. Inside `attempt`, the n-th create of an
attempt has the same idempotency key in every attempt, so the service finds the request that is already there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from uuid import uuid4

from hitl_mcp.contract.text import digest


class _Attempt:
    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._numbers: defaultdict[str, Iterator[int]] = defaultdict(count)

    def key(self, name: str) -> str:
        return digest([self._seed, name, next(self._numbers[name])])


_current: ContextVar[_Attempt | None] = ContextVar("hitl_mcp_attempt", default=None)


def attempt_key(name: str) -> str | None:
    """The idempotency key of the next create in this attempt; None outside of a repeated call.

    Args:
        name: creates are numbered apart for each name. Creates that run side by side may come in another order at the
            next attempt; a name that holds what is asked keeps their keys apart.
    """
    attempt = _current.get()
    return None if attempt is None else attempt.key(name)


def new_call() -> str:
    """The seed of one repeated call. Inside another one it follows from the outer call, so that its keys hold too."""
    return attempt_key("a call within the call") or uuid4().hex


@contextmanager
def attempt(seed: str) -> Generator[None]:
    """One attempt of the call with this seed: numbering starts again."""
    token = _current.set(_Attempt(seed))
    try:
        yield
    finally:
        _current.reset(token)
