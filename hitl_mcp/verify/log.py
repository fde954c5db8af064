"""An exported log, checked: each request's chain, what was dropped, and the anchors over all of them.

What it proves: the entries of the file are those that the chains were made of, in their order, none left out between
two others, none changed; data that is missing was dropped by retention, which says so in the same chain. A chain alone
does not prove that nobody wrote it anew from its beginning, or cut its end: that is what anchors are for, and they only
as far as the key was out of the reach of whoever had the database.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hitl_mcp.contract.chain import DROPPED, FIRST, anchor_hash, anchor_mac, chain_hash, data_hash, heads_digest

MOST_FAULTS = 1_000
"""More are only counted: a file that is something else entirely has one for each line."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and with what."""

    where: str
    words: str


@dataclass(slots=True)
class Report:
    """What was checked and what was found.

    Attributes:
        dropped: entries whose data retention has dropped.
        open_ended: chains that begin before the file, which was exported from a later moment on.
        anchors: anchors that agree with the log.
        unchecked: anchors over more than the file holds.
        newest: the moment of the last anchor that agrees, in milliseconds since 1970.
        keyed: whether every anchor carried the key's mark.
    """

    entries: int = 0
    chains: int = 0
    dropped: int = 0
    open_ended: int = 0
    anchors: int = 0
    unchecked: int = 0
    newest: int | None = None
    keyed: bool = False
    faults: list[Fault] = field(default_factory=list[Fault])
    more: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing was found."""
        return not self.faults

    def says(self) -> list[str]:
        """What was checked, and exactly what that proves, in sentences."""
        said = [f"{self.entries} entries of {self.chains} requests were read."]
        if self.dropped:
            said.append(f"{self.dropped} entries have lost their data; its hash stands.")
        if self.open_ended:
            said.append(f"{self.open_ended} chains begin before this file: nothing is proven of what was before it.")
        if not self.whole:
            return [*said, "The log is NOT whole:"]
        said.append("Each chain is whole: nothing was changed, reordered, or left out between two entries of the file.")
        if self.newest is None:
            said.append("Without an anchor that agrees nothing proves that a chain was not written anew or cut short.")
            return said
        when = datetime.fromtimestamp(self.newest / 1000, UTC)
        said.append(
            f"{self.anchors} anchors agree: up to {when:%Y-%m-%d %H:%M:%S} UTC no chain was written anew or cut."
        )
        if not self.keyed:
            said.append("The anchors were checked without their key, so whoever made the log could have made them too.")
        return said

    def fault(self, where: str, words: str) -> None:
        """Take note of one more."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(where, words))
        else:
            self.more += 1


@dataclass(slots=True)
class _Chain:
    """One request's entries so far: where each stands, for the anchors."""

    seq: int
    head: str
    heads: list[tuple[int, int, int, str]] = field(default_factory=list[tuple[int, int, int, str]])
    unexplained: list[int] = field(default_factory=list[int])


def verify(lines: Iterable[str], anchors: Iterable[str] | None = None, key: bytes | None = None) -> Report:
    """Check an export.

    Args:
        lines: of the file that `hitl-mcp events export` wrote.
        anchors: of the file of anchors that was kept elsewhere.
        key: what marks the anchors; without it they are checked against the log, but not who made them.
    """
    report, chains = Report(), dict[str, _Chain]()
    since = _entries(lines, report, chains)
    for request_id, chain in chains.items():
        for seq in chain.unexplained:
            report.fault(f"{request_id} #{seq}", "its data is gone and no later entry says that retention dropped it")
    report.chains = len(chains)
    if anchors is not None:
        _anchors(anchors, key, since, report, chains)
    return report


def _entries(lines: Iterable[str], report: Report, chains: dict[str, _Chain]) -> int:
    """Walk the entries; returns the position after which the export began."""
    since, position, ended = 0, 0, None
    for number, line in enumerate(lines, start=1):
        where = f"line {number}"
        if ended is not None:
            report.fault(where, "stands after the end of the export")
        try:
            entry = json.loads(line)
            kind = entry["kind"]
            if kind == "export":
                since = position = int(entry["after"])
            elif kind == "end":
                ended = int(entry["entries"])
            else:
                position = _entry(entry, where, since, position, report, chains)
        except (ValueError, KeyError, TypeError, AttributeError):
            report.fault(where, "is no entry of an export")
    if ended is None:
        report.fault("the file", "has no end: its last lines are missing")
    elif ended != report.entries:
        report.fault("the file", f"was written with {ended} entries and has {report.entries}")
    return since


def _entry(
    entry: dict[str, Any], where: str, since: int, position: int, report: Report, chains: dict[str, _Chain]
) -> int:
    request_id, seq, data = str(entry["request_id"]), int(entry["seq"]), str(entry["data"])
    report.entries += 1
    if int(entry["position"]) <= position:
        report.fault(where, "stands before an entry that was written earlier")
    chain = chains.get(request_id)
    if chain is None:
        first = seq == 1 or since == 0
        chain = chains[request_id] = _Chain(0 if first else seq - 1, FIRST if first else str(entry["previous_hash"]))
        report.open_ended += not first
    name = f"{where}, {request_id} #{seq}"
    if seq != chain.seq + 1:
        why = "entries between are missing" if seq > chain.seq else "out of order"
        report.fault(name, f"follows #{chain.seq}: {why}")
    elif entry["previous_hash"] != chain.head:
        report.fault(name, "does not follow its predecessor")
    made = chain_hash(
        str(entry["previous_hash"]), request_id, seq, str(entry["type"]), str(entry["actor"]), int(entry["at"]),
        str(entry["data_hash"]),
    )  # fmt: skip
    if made != entry["hash"]:
        report.fault(name, "was changed")
    if data_hash(data) != entry["data_hash"]:
        if data == DROPPED:
            report.dropped += 1
            chain.unexplained.append(seq)
        else:
            report.fault(name, "holds other data than was written")
    if entry["type"] == "dropped":
        chain.unexplained.clear()
    chain.seq, chain.head = seq, str(entry["hash"])
    chain.heads.append((int(entry["at"]), int(entry["position"]), seq, chain.head))
    return int(entry["position"])


def _anchors(lines: Iterable[str], key: bytes | None, since: int, report: Report, chains: dict[str, _Chain]) -> None:
    previous, known = FIRST, sorted(chains.items())
    last = max((head[1] for chain in chains.values() for head in chain.heads), default=since)
    report.keyed = key is not None
    number = 0
    for number, line in enumerate(lines, start=1):
        where = f"anchor {number}"
        try:
            anchor = json.loads(line)
            at, position, heads = int(anchor["at"]), int(anchor["position"]), int(anchor["heads"])
            digest, made = str(anchor["digest"]), str(anchor["hash"])
            mac = str(anchor.get("mac", ""))
            follows = str(anchor["previous"])
        except (ValueError, KeyError, TypeError, AttributeError):
            report.fault(where, "is no anchor")
            continue
        if made != anchor_hash(follows, at, position, heads, digest):
            report.fault(where, "was changed")
        if follows != previous:
            report.fault(where, "does not follow its predecessor")
        if key is not None and not hmac.compare_digest(mac.encode(), anchor_mac(key, made).encode()):
            report.fault(where, "was not made with this key")
        previous = made
        if since or report.open_ended:
            report.unchecked += 1
        elif position > last:
            report.fault(where, f"covers entries up to position {position}; the file ends at {last}")
        elif heads_digest(_heads_at(known, at, position)) != (heads, digest):
            report.fault(where, "the log is not the one that was anchored: something before it was written anew")
        else:
            report.anchors, report.newest = report.anchors + 1, at
    if number == 0:
        report.fault("the anchors", "there are none in their file, although the log was to be checked against them")


def _heads_at(chains: list[tuple[str, _Chain]], at: int, position: int) -> Iterable[tuple[str, int, str]]:
    """The newest entry of each chain as it was when an anchor was made."""
    for request_id, chain in chains:
        newest = next((head for head in reversed(chain.heads) if head[0] <= at and head[1] <= position), None)
        if newest is not None:
            yield request_id, newest[2], newest[3]
