"""Characters that deceive the eye: some cannot be seen or turn the direction of a text, some look like another."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# characters with no shape of their own beside the categories of `_is_hidden`
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_SHAPED = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_CANDIDATE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    r"\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ue000-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U000110bd\U000110cd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)


def _is_hidden(text: str, at: int) -> bool:
    """Whether the character can change what is read without being seen. Emoji and living scripts need some of them."""
    char = text[at]
    if char in _SHAPED:
        return False
    before = text[at - 1] if at else " "
    after = text[at + 1] if at + 1 < len(text) else " "
    if char in "\ufe0e\ufe0f":
        return unicodedata.category(before) not in ("So", "Sm", "Po", "Nd", "Pd", "Sk")
    if char in "\u200c\u200d":
        around = {unicodedata.category(before), unicodedata.category(after)}
        is_emoji = char == "\u200d" and unicodedata.category(after) == "So" and (
            unicodedata.category(before) in ("So", "Sk") or before == "\ufe0f"
        )  # fmt: skip
        return not (is_emoji or around <= {"Lo", "Mn", "Mc"})
    return char in _BLANK or unicodedata.category(char) in ("Cc", "Cf", "Co", "Cn", "Zl", "Zp", "Mn")


_ALIKE = frozenset(
    "АВЕЅІЈКМНОРСТУХҮҺԌԜаеѕіјорсухһӏԁԛԝёүгԍ"  # Cyrillic
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοιρνϲϳ"  # Greek
    "ՍՏՕօսոցհզյ"  # Armenian
    "ᎪᏴᏟᎠᎬᎳᎻᎫᏦᏞᎷᏢᏒᏚᎢᏙᏔᏃ"  # Cherokee
)
"""Letters of other alphabets that look like one of the Latin alphabet."""
_LATIN = frozenset("ABCEHIJKMOPSTXYaceijlopsxyrun")
"""Letters of the Latin alphabet that look like one of another."""
_WORD = re.compile(r"[^\W\d_]+")
_FOREIGN_WORD = re.compile(r"[^\W\d_]*[^\W\d_\x00-\x7f][^\W\d_]*")
_STYLED = ("FULLWIDTH", "MATHEMATICAL")


def may_deceive(text: str) -> bool:
    """Whether it is worth a closer look; false for most texts."""
    return _CANDIDATE.search(text) is not None or (not text.isascii() and _FOREIGN_WORD.search(text) is not None)


def invisible_in(text: str) -> list[str]:
    """The names of the invisible characters in a text, each once: `U+200B`."""
    return sorted({code.split(" ")[0] for piece, code in _hidden(text) if code and piece})


def deceives(text: str) -> bool:
    """Whether anything in it is marked where it is shown."""
    return may_deceive(text) and any(code for _, code in pieces(text, lone_alphabets(text)))


def pieces(text: str, alone: frozenset[str]) -> Iterator[tuple[str, str]]:
    """The text in pieces; one that deceives comes with what is shown in its place: `U+200B`, `а Cyrillic U+0430`.

    Args:
        alone: the alphabets of which the whole text has nothing but letters that look Latin.
    """
    for piece, code in _hidden(text):
        if code or piece.isascii():
            yield piece, code
        else:
            yield from _alike(piece, alone)


def lone_alphabets(text: str) -> frozenset[str]:
    """The alphabets that a Latin text uses for nothing but letters that look Latin."""
    if text.isascii():
        return frozenset()
    found: dict[str, bool] = {}
    for char in {char for word in _FOREIGN_WORD.findall(text) for char in word}:
        alphabet = _alphabet(char)
        found[alphabet] = found.get(alphabet, True) and _is_alike(char)
    if re.search("[A-Za-z]{2}", text) is None:
        return frozenset()
    return frozenset(alphabet for alphabet, only in found.items() if only and alphabet != "Latin")


def _alphabet(char: str) -> str:
    return "Latin" if char.isascii() else unicodedata.name(char, "UNKNOWN").split()[0].split("-")[0].capitalize()


def _is_alike(char: str) -> bool:
    if char in _ALIKE or char in _LATIN:
        return True
    styled = unicodedata.normalize("NFKC", char)
    return len(styled) == 1 and styled.isascii() and unicodedata.name(char, "").startswith(_STYLED)


def _alike(text: str, alone: frozenset[str]) -> Iterator[tuple[str, str]]:
    """The text in pieces; letters that stand in for those of another alphabet come with their names."""
    last = 0
    for word in _FOREIGN_WORD.finditer(text):
        runs = _runs(word.group())
        mixed = len(runs) > 1
        marked = [
            run for run, alphabet in runs
            if alphabet != "Latin" and (mixed or alphabet in alone) and all(map(_is_alike, run))
        ] or [run for run, alphabet in runs if alphabet == "Latin" and mixed and set(run) <= _LATIN]  # fmt: skip
        at = word.start()
        for run, alphabet in runs:
            if run in marked:
                if at > last:
                    yield text[last:at], ""
                codes = " ".join(f"U+{ord(char):04X}" for char in dict.fromkeys(run))
                yield run, f"{run} {alphabet} {codes}"
                last = at + len(run)
            at += len(run)
    if last < len(text):
        yield text[last:], ""


def _runs(word: str) -> list[tuple[str, str]]:
    """A word in runs of one alphabet each; a mark upon a letter belongs to it."""
    runs: list[tuple[str, str]] = []
    for char in word:
        alphabet = _alphabet(char)
        if runs and alphabet in (runs[-1][1], "Combining"):
            runs[-1] = (runs[-1][0] + char, runs[-1][1])
        else:
            runs.append((char, alphabet))
    return runs


def _hidden(text: str) -> Iterator[tuple[str, str]]:
    """The text in pieces; a hidden character comes with its code (and how many follow each other)."""
    last = at = 0
    while (found := _CANDIDATE.search(text, at)) is not None:
        at = found.end()
        if not _is_hidden(text, found.start()):
            continue
        char = found.group()
        while at < len(text) and text[at] == char:
            at += 1
        times = at - found.start()
        if found.start() > last:
            yield text[last : found.start()], ""
        yield text[found.start() : at], f"U+{ord(char):04X}" + (f" ×{times}" if times > 1 else "")
        last = at
    if last < len(text):
        yield text[last:], ""
