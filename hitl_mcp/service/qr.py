"""QR codes, by segno."""

from __future__ import annotations

import io

import segno


def png(text: str) -> bytes:
    """A PNG that a phone's camera reads from a screen."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=8, border=4)
    return out.getvalue()


def svg(text: str) -> str:
    """The same as markup to stand in a page, dark on white whatever the page's colours are."""
    made = segno.make(text, error="m", micro=False)
    return str(made.svg_inline(scale=6, border=4, dark="#000", light="#fff", omitsize=True))
