"""How a webhook is signed: HMAC-SHA256 over the raw body, in hex, under two header names (contract section 5.4), and
beside them the three headers of Standard Webhooks, which also sign an id and a time.

One secret serves both. The hex signature's key is the secret's text. The Standard one's key is what follows `whsec_`,
decoded from base64; of a secret that does not begin so it is the text again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

from hitl_mcp.errors import NotConfigured

SIGNATURE = "X-HITL-Signature"
"""Bare hex: the current documents and the first samples."""
SIGNATURE_256 = "X-HITL-Signature-256"
"""`sha256=` and the same hex: the documents of August 2025."""
PREFIX = "sha256="
EVENT = "X-HITL-Event"
DELIVERY = "X-HITL-Delivery"
STANDARD_ID = "webhook-id"
STANDARD_TIME = "webhook-timestamp"
STANDARD_SIGNATURE = "webhook-signature"
_STANDARD_SECRET = "whsec_"  # the prefix is no secret


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


def standard(secret: str | bytes) -> Webhook:
    """The signer and verifier of Standard Webhooks for a secret. Raises: as `sign`; ValueError for broken base64."""
    sign(b"", secret)
    if isinstance(secret, str):
        return Webhook(secret if secret.startswith(_STANDARD_SECRET) else secret.encode())
    return Webhook(secret.decode() if secret.startswith(_STANDARD_SECRET.encode()) else secret)


def standard_headers(body: bytes, secrets: Sequence[str], event_id: str, at: datetime) -> dict[str, str]:
    """The three headers of Standard Webhooks.

    Args:
        secrets: each signs, so that receivers with the former or the new one can verify.
        event_id: the same at every delivery of one event.
        at: now.
    """
    text = body.decode()
    return {
        STANDARD_ID: event_id,
        STANDARD_TIME: str(int(at.timestamp())),
        STANDARD_SIGNATURE: " ".join(standard(secret).sign(event_id, at, text) for secret in secrets),
    }
