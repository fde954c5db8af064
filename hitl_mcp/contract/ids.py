"""Identifiers: 24 lower-case hex characters (96 random bits), as the HITL.sh contract demands."""

from __future__ import annotations

import re
import secrets

_ID = re.compile(r"[0-9a-fA-F]{24}")


def new_id() -> str:
    """A fresh identifier nobody can guess."""
    return secrets.token_hex(12)


def is_id(text: str) -> bool:
    """Whether `text` has the contract's form of an identifier."""
    return _ID.fullmatch(text) is not None
