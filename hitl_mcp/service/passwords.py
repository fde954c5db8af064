"""Passwords: argon2id with the library's own defaults (RFC 9106), hashed in a thread and few at a time."""

from __future__ import annotations

import unicodedata
from functools import cache

import anyio
import anyio.to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hitl_mcp.errors import BadRequest

MIN_LENGTH = 12
MAX_LENGTH = 1000
AT_ONCE = 2
"""Each hash takes 64 MiB and some 50 ms of a core."""

_hasher = PasswordHasher()


class Passwords:
    """Makes and checks hashes without holding up the event loop.

    Attributes:
        hashes: how many hashes were computed; the same for every refused sign-in, whoever it named.
    """

    def __init__(self) -> None:
        self._limit = anyio.CapacityLimiter(AT_ONCE)
        self.hashes = 0

    async def hash(self, password: str) -> str:
        """What is kept of a new password. Raises: BadRequest when it is too short or too long."""
        plain = check_length(password)
        self.hashes += 1
        return await anyio.to_thread.run_sync(_hasher.hash, plain, limiter=self._limit)

    async def fits(self, kept: str | None, password: str) -> bool:
        """Whether a password is the one that is kept. Where none is kept a hash is computed all the same."""
        plain = _normal(password)[:MAX_LENGTH]
        self.hashes += 1
        return await anyio.to_thread.run_sync(_verified, kept, plain, limiter=self._limit)


def check_length(password: str) -> str:
    """The password as it is hashed. Long ones are safe; no rule says which characters. Raises: BadRequest."""
    plain = _normal(password)
    if len(plain) < MIN_LENGTH:
        raise BadRequest(f"A password has at least {MIN_LENGTH} characters. A few words in a row are easy to keep")
    if len(plain) > MAX_LENGTH:
        raise BadRequest(f"A password has at most {MAX_LENGTH} characters")
    return plain


def _normal(password: str) -> str:
    """The same password typed on two keyboards may come in two forms of Unicode."""
    return unicodedata.normalize("NFKC", password)


def _verified(kept: str | None, password: str) -> bool:
    try:
        return _hasher.verify(kept or _nobodys(), password) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return _hasher.hash("the password of nobody")
