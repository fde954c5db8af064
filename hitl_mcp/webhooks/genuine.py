"""Whether a webhook comes from somebody who knows the secret."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from hitl_mcp.contract.signatures import PREFIX, SIGNATURE, SIGNATURE_256, sign
from hitl_mcp.errors import NotAuthorised, NotConfigured
from hitl_mcp.webhooks.event import WebhookEvent, parse_event

_NAMES = {SIGNATURE.lower(), SIGNATURE_256.lower()}


def verify_signature(headers: object, body: object, secret: object) -> bool:
    """Whether the sender of this body knows the secret. Never raises; what cannot be read is not genuine.

    Args:
        headers: a mapping (also Flask's, Django's `request.headers` or `request.META`, Starlette's), or name and value
            pairs. Either of `X-HITL-Signature` and `X-HITL-Signature-256` will do; where several are given, each must
            be right.
        body: the raw body as it came, bytes or text. Parsed JSON cannot be verified.
        secret: this endpoint's secret, text or bytes.
    """
    try:
        raw = body.encode() if isinstance(body, str) else body
        if not isinstance(raw, bytes | bytearray | memoryview) or not isinstance(secret, str | bytes):
            return False
        expected = bytes.fromhex(sign(bytes(cast("bytes", raw)), secret))
        given = list(_signatures(headers))
    except (TypeError, ValueError, NotConfigured):
        return False
    return bool(given) and all(one is not None and hmac.compare_digest(one, expected) for one in given)


class WebhookHandler:
    """Takes genuine events only.

    Args:
        secret: this endpoint's secret.

    Raises: NotConfigured for an empty secret.
    """

    def __init__(self, secret: str | bytes) -> None:
        sign(b"", secret)
        self._secret = secret

    def parse_event(self, data: bytes | str, headers: object) -> WebhookEvent:
        """The event.

        Args:
            data: the raw body as it came.
            headers: as for `verify_signature`.

        Raises: NotAuthorised when the signature is missing or wrong, ContractBroken as the function `parse_event`.
        """
        if not verify_signature(headers, data, self._secret):
            raise NotAuthorised(
                "The signature does not match this body and secret. Answer 401 and do not act on it. If the sender is "
                "genuine: give the raw body, not the parsed JSON, and the secret of this very endpoint"
            )
        return parse_event(data)


def _signatures(headers: object) -> Iterator[bytes | None]:
    """Each signature found; None for one that cannot be read."""
    items = getattr(headers, "items", None)
    pairs = cast("Callable[[], Any]", items)() if callable(items) else headers
    for pair in cast("Iterable[Any]", pairs):
        if isinstance(pair, tuple | list) and len(cast("list[Any]", pair)) == 2:
            name, value = cast("list[Any]", pair)
            if _text(name).lower().replace("_", "-").removeprefix("http-") in _NAMES:
                for one in cast("list[Any]", value) if isinstance(value, list | tuple) else [value]:
                    yield _signature(_text(one))


def _signature(text: str) -> bytes | None:
    text = text.strip()
    if text[: len(PREFIX)].lower() == PREFIX:
        text = text[len(PREFIX) :]
    return bytes.fromhex(text) if re.fullmatch(r"[0-9a-fA-F]{64}", text) else None


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value if isinstance(value, str) else ""
