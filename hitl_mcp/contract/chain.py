"""The event log's hash chain (H24): made by the service, and checked by anybody, with the standard library alone.

An entry's hash covers its predecessor's hash, its place, actor and time, and the hash of its data; so the data can be
dropped later without breaking the chain. An anchor's covers the heads of all chains at a moment, and its predecessor.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

FIRST = "0" * 64
"""What stands in the place of a predecessor's hash where there is none."""
DROPPED = "{}"
"""What stands in the place of data that retention has dropped."""


def data_hash(text: str) -> str:
    """The hash of an entry's data, as canonical text."""
    return hashlib.sha256(text.encode()).hexdigest()


def chain_hash(previous: str, request_id: str, seq: int, kind: str, actor: str, at: int, of_data: str) -> str:
    """The hash of one entry, in hex."""
    return _joined(previous, request_id, seq, kind, actor, at, of_data)


def heads_digest(heads: Iterable[tuple[str, int, str]]) -> tuple[int, str]:
    """How many chains there are, and a digest over their newest entries.

    Args:
        heads: request id, place and hash of each, in the order of the ids.
    """
    digest, count = hashlib.sha256(), 0
    for request_id, seq, entry_hash in heads:
        digest.update(f"{request_id}|{seq}|{entry_hash}\n".encode())
        count += 1
    return count, digest.hexdigest()


def anchor_hash(previous: str, at: int, position: int, heads: int, digest: str) -> str:
    """The hash of one anchor, in hex."""
    return _joined(previous, at, position, heads, digest)


def anchor_mac(key: bytes, of_anchor: str) -> str:
    """The mark that only a holder of the key can put on an anchor."""
    return hmac.new(key, b"anchor\x1f" + of_anchor.encode(), hashlib.sha256).hexdigest()


def _joined(*parts: str | int) -> str:
    return hashlib.sha256("|".join(str(part) for part in parts).encode()).hexdigest()
