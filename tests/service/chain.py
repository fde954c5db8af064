"""The event log's hash chain, recomputed from what the wire shows; written anew, so that it proves the product."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def faults(request_id: str, entries: list[dict[str, Any]]) -> list[str]:
    """What is wrong with a request's log; nothing, when it is whole."""
    found: list[str] = []
    previous = "0" * 64
    position = 0
    for place, entry in enumerate(entries, start=1):
        if entry["seq"] != place:
            found.append(f"entry {place} says it is entry {entry['seq']}")
        if entry["position"] <= position:
            found.append(f"entry {place} stands before its predecessor")
        if entry["previous_hash"] != previous:
            found.append(f"entry {place} does not follow its predecessor")
        if json.loads(entry["data_text"]) != entry["data"]:
            found.append(f"entry {place} shows other data than it keeps")
        if _sha256(entry["data_text"]) != entry["data_hash"]:
            found.append(f"the data of entry {place} was changed")
        parts = (previous, request_id, place, entry["type"], entry["actor"], entry["at"], entry["data_hash"])
        if _sha256("|".join(str(part) for part in parts)) != entry["hash"]:
            found.append(f"entry {place} was changed")
        previous, position = entry["hash"], entry["position"]
    return found
