"""How a webhook is signed (contract section 5.4): HMAC-SHA256 over the raw body, in hex, under two header names."""

from __future__ import annotations

import hashlib
import hmac

from hitl_mcp.errors import NotConfigured

SIGNATURE = "X-HITL-Signature"
"""Bare hex: the current documents and the first samples."""
SIGNATURE_256 = "X-HITL-Signature-256"
"""`sha256=` and the same hex: the documents of August 2025."""
PREFIX = "sha256="


def sign(body: bytes, secret: str | bytes) -> str:
    """The signature of a body in hex.

    Args:
        body: the bytes exactly as they are sent.
        secret: the endpoint's own; text is taken as UTF-8.

    Raises: NotConfigured for an empty secret, with which anybody could sign.
    """
    key = secret.encode() if isinstance(secret, str) else secret
    if not key:
        raise NotConfigured("The webhook secret is empty, so anybody could sign. Give the secret of this endpoint")
    return hmac.new(key, body, hashlib.sha256).hexdigest()


def signature_headers(body: bytes, secret: str | bytes) -> dict[str, str]:
    """Both headers for a body, so that receivers of every generation find theirs. Raises: as `sign`."""
    signature = sign(body, secret)
    return {SIGNATURE: signature, SIGNATURE_256: PREFIX + signature}
