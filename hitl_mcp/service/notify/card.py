"""What a message says: neutral words, and a link that shows. No link decides anything (D10, H15)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from hitl_mcp.service.clock import moment
from hitl_mcp.service.notify.quiet import zone_of

MOST_CHARACTERS = 160
_TITLES = {
    "reminder": "A request is about to expire",
    "escalated": "A request was escalated to you",
    "reassigned": "A request was handed to you",
    "answered_back": "The agent has answered what you asked",
}
TEST = "test"
"""The reason of a message that a person sends themselves."""

_UNSEEN = ("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp")
_MARKS = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "@": "(at)", "`": "'", "*": "∗"})
_LINK = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*):/+|\b(www)\.|(?<=\w)\.(?=[a-z]{2,}(?:[:/?#]|$|\s))")


@dataclass(frozen=True, slots=True)
class Card:
    """One message in plain text, for channels that show whatever they are given.

    Attributes:
        link: where the request is shown to who is signed in.
    """

    title: str
    body: str
    link: str

    @property
    def text(self) -> str:
        """Body and link."""
        return f"{self.body}\n{self.link}"


@dataclass(frozen=True, slots=True)
class Told:
    """What a message is about.

    Attributes:
        reason: see `people.Reason`, or `test`.
        quote: the question's text, where the channel may quote its first line.
        time_zone: of who is told, an IANA name.
    """

    reason: str
    loop: str
    priority: str
    timeout_at: int
    quote: str | None
    time_zone: str | None


def card_of(told: Told, link: str) -> Card:
    """The message."""
    title = _TITLES.get(told.reason, "A request waits for you")
    at = moment(told.timeout_at).astimezone(zone_of(told.time_zone))
    lines = [
        f"Loop: {harmless(told.loop)}. Priority: {told.priority}.",
        f"Open until {at:%Y-%m-%d %H:%M} {at.tzname()}.",
    ]
    if told.quote is not None:
        lines.append(f"The agent writes: “{harmless(told.quote)}”")
    return Card(title, "\n".join(lines), link)


def card_of_disabled(host: str, why: str | None, link: str) -> Card:
    """That nothing is sent to a webhook any more.

    Args:
        host: where it was; what follows it in the address may be a secret.
        why: with what the receiver answered, where the channel may quote somebody's text.
    """
    lines = [f"Nothing more is sent to {harmless(host)} until you enable it again."]
    if why is not None:
        lines.append(harmless(why))
    return Card("A webhook of yours was disabled", "\n".join(lines), link)


def test_card(link: str) -> Card:
    """A message that only shows that it arrives."""
    return Card("Test: you are reached here", "Requests will be announced like this. Nothing waits for you.", link)


def harmless(text: str) -> str:
    """The first line of somebody's text: nothing invisible, no link, no mention and no markup of a chat, bounded."""
    lines = ("".join(" " if c == "\t" else c for c in line) for line in text.splitlines())
    for line in lines:
        seen = "".join(c for c in line if unicodedata.category(c) not in _UNSEEN).lstrip(" #-+>")
        plain = " ".join(_LINK.sub(_defused, seen).translate(_MARKS).split())
        if plain:
            return plain if len(plain) <= MOST_CHARACTERS else f"{plain[: MOST_CHARACTERS - 1].rstrip()}…"
    return "…"


def _defused(found: re.Match[str]) -> str:
    if found[1]:
        return f"{found[1]}: "
    return f"{found[2] or ''} . "
