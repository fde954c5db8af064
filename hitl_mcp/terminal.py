"""What the terminal commands share: showing an agent's text safely, and making sure that a person is there (H8)."""

from __future__ import annotations

import sys
import unicodedata

import click

from hitl_mcp.errors import HITLError
from hitl_mcp.settings import agent_environment


def visible(text: str) -> str:
    """The text with every control and format character written out, so that none can change what a terminal shows."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cn") else f"[U+{ord(c):04X}]"
        for c in text
    )


def one_line(text: str, width: int = 100) -> str:
    """The text on one line, safe to print, with its cut marked."""
    flat = visible(" ".join(text.split()))
    return flat if len(flat) <= width else f"{flat[: width - 1]}…"


def need_a_person(purpose: str) -> None:
    """Refuse where no person can be sitting. Raises: HITLError."""
    mark = agent_environment()
    if mark is not None:
        raise HITLError(
            f"This terminal belongs to a coding agent ({mark} is set), and agents must not {purpose}. "
            "Open a terminal of your own and run the command there."
        )
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise HITLError(f"To {purpose}, a person at a terminal is needed. Run this command in a terminal of your own.")


def confirm(question: str) -> None:
    """Ask yes or no; anything but yes ends the command."""
    if not click.confirm(question, default=False):
        raise click.Abort
