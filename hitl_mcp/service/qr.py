"""QR codes, by segno."""

from __future__ import annotations

import io

import segno


def png(text: str) -> bytes:
    """A PNG that a phone's camera reads from a screen."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=8, border=4)
    return out.getvalue()
