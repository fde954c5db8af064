"""Web Push: messages to the installed inbox, through the browser maker's own service, which cannot read them.

The key by which that service knows us (VAPID) is derived from the installation's secret: the same in every process, and
nothing has to be written when a page shows its public half.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hitl_mcp.contract.text import canonical
from hitl_mcp.errors import BadRequest, HITLError, Unreachable
from hitl_mcp.service.notify.card import Card
from hitl_mcp.service.outbox.base import Outcome

if TYPE_CHECKING:
    from hitl_mcp.service.outgoing.guard import Outgoing

SEND_SECONDS = 15.0
KEPT_SECONDS = 24 * 3600
"""How long the browser's service keeps a message for a browser that is away, at most."""
_TOKEN_SECONDS = 12 * 3600
_ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_EXCERPT_BYTES = 200
GONE = (404, 410)
"""What is answered for a subscription that its browser ended."""


class _Keys(BaseModel):
    model_config = ConfigDict(extra="ignore")

    p256dh: Annotated[str, Field(min_length=80, max_length=100, pattern=r"^[A-Za-z0-9_=-]+$")]
    auth: Annotated[str, Field(min_length=20, max_length=30, pattern=r"^[A-Za-z0-9_=-]+$")]


class Subscription(BaseModel):
    """What a browser gives to whoever may push to it."""

    model_config = ConfigDict(extra="ignore")

    endpoint: Annotated[str, Field(min_length=10, max_length=1_000)]
    keys: _Keys


async def checked(text: str, outgoing: Outgoing) -> str:
    """A subscription as it is kept. Raises: BadRequest when it is none, or leads where nothing may be sent."""
    try:
        given = Subscription.model_validate_json(text)
    except ValidationError:
        raise BadRequest("The browser gave no subscription that can be read. Reload the page and try again") from None
    await outgoing.check(given.endpoint)
    try:
        await anyio.to_thread.run_sync(_encrypted, given, b"?")
    except ValueError:
        raise BadRequest("The browser's keys cannot be used. Reload the page and try again") from None
    return canonical(given.model_dump())


def public_key(secret: bytes) -> str:
    """What a page gives the browser to subscribe with."""
    return _derived(secret)[1]


@cache
def _derived(secret: bytes) -> tuple[str, str]:
    """The private key as PEM, and the public one as browsers take it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    number = int.from_bytes(hmac.digest(secret, b"web push", "sha512"), "big") % (_ORDER_P256 - 1) + 1
    key = ec.derive_private_key(number, ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return pem, base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def payload(card: Card, path: str, tag: str, waiting: int) -> bytes:
    """What the service worker shows.

    Args:
        path: where a click leads, on the inbox's own origin.
        tag: a later message with the same one takes its place.
        waiting: how many requests wait, for the badge.
    """
    return json.dumps({"title": card.title, "body": card.body, "path": path, "tag": tag, "open": waiting}).encode()


async def send(address: str, message: bytes, outgoing: Outgoing, *, secret: bytes, subject: str, topic: str) -> Outcome:
    """Send one message to one browser.

    Args:
        address: the subscription, as `checked` returned it.
        secret: of the installation.
        subject: whom the browser's service can turn to: the inbox's public address.
        topic: a later message with the same one takes the place of one that was not delivered yet.
    """
    given = Subscription.model_validate_json(address)
    try:
        with anyio.fail_after(SEND_SECONDS):
            body, headers = await anyio.to_thread.run_sync(_prepared, given, message, secret, subject)
            headers |= {"TTL": str(KEPT_SECONDS), "Urgency": "high", "Topic": topic}
            async with outgoing.open(given.endpoint, method="POST", headers=headers, content=body) as answer:
                words = b""
                async for chunk in answer.chunks:
                    words += chunk
                    if len(words) >= _EXCERPT_BYTES:
                        break
                return _outcome(answer.status, words, answer.headers.get("Retry-After", ""))
    except TimeoutError:
        return Outcome(delivered=False, excerpt=f"The browser's service did not answer within {SEND_SECONDS:.0f} s")
    except Unreachable:
        return Outcome(delivered=False, excerpt=f"{urlsplit(given.endpoint).hostname} could not be reached")
    except HITLError as refused:
        return Outcome(delivered=False, excerpt=str(refused), again=False)


def _outcome(status: int, words: bytes, retry_after: str) -> Outcome:
    if status in (200, 201, 202, 204):
        return Outcome(delivered=True, status=status)
    said = "".join(c for c in words.decode(errors="replace") if c.isprintable())[:_EXCERPT_BYTES]
    return Outcome(
        delivered=False, status=status, excerpt=f"The browser's service answered {status} {said}".strip(),
        again=status == 429 or status >= 500, after_seconds=float(retry_after) if retry_after.isdigit() else None,
    )  # fmt: skip


def _prepared(given: Subscription, message: bytes, secret: bytes, subject: str) -> tuple[bytes, dict[str, str]]:
    from py_vapid import Vapid02

    parts = urlsplit(given.endpoint)
    claims: dict[str, Any] = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int(time.time()) + _TOKEN_SECONDS,
        "sub": subject,
    }
    signed: dict[str, str] = Vapid02.from_pem(_derived(secret)[0].encode()).sign(claims)  # pyright: ignore
    headers = {
        "Authorization": signed["Authorization"],
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
    }
    return _encrypted(given, message), headers


def _encrypted(given: Subscription, message: bytes) -> bytes:
    from pywebpush import WebPusher

    return bytes(WebPusher(given.model_dump()).encode(message)["body"])  # pyright: ignore
