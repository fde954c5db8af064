"""Whether a webhook comes from somebody who knows the secret."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from standardwebhooks.webhooks import EmptyWebhookSecretError, WebhookVerificationError

from hitl_mcp.contract.signatures import (
    PREFIX,
    SIGNATURE,
    SIGNATURE_256,
    STANDARD_ID,
    STANDARD_SIGNATURE,
    STANDARD_TIME,
    sign,
    standard,
)
from hitl_mcp.errors import NotAuthorised, NotConfigured
from hitl_mcp.webhooks.event import WebhookEvent, parse_event

_NAMES = {SIGNATURE.lower(), SIGNATURE_256.lower()}
_STANDARD = {STANDARD_ID, STANDARD_TIME, STANDARD_SIGNATURE}


def verify_signature(headers: object, body: object, secret: object, *, require_timestamp: bool = False) -> bool:
    """Whether the sender of this body knows the secret. Never raises; what cannot be read is not genuine.

    A call that carries the headers of Standard Webhooks is refused when its time is more than five minutes off.

    Args:
        headers: a mapping (also Flask's, Django's `request.headers` or `request.META`, Starlette's), or name and value
            pairs. Any of `X-HITL-Signature`, `X-HITL-Signature-256` and `webhook-signature` will do; where several are
            given, each must be right.
        body: the raw body as it came, bytes or text. Parsed JSON cannot be verified.
        secret: this endpoint's secret, text or bytes; several while it is being rotated.
        require_timestamp: also refuse what carries no time, so that nothing recorded can be sent again later. Leave it
            out where senders without Standard Webhooks are to be understood.
    """
    try:
        raw = body.encode() if isinstance(body, str) else body
        if not isinstance(raw, bytes | bytearray | memoryview):
            return False
        content, named = bytes(cast("bytes", raw)), list(_pairs(headers))
        several = cast("list[object]", secret) if isinstance(secret, list | tuple) else [secret]
        return any(_signed_with(one, content, named, require_timestamp) for one in several)
    except (TypeError, ValueError, NotConfigured):
        return False


def _signed_with(secret: object, body: bytes, named: list[tuple[str, str]], require_timestamp: bool) -> bool:
    if not isinstance(secret, str | bytes):
        return False
    expected = bytes.fromhex(sign(body, secret))
    given = [_signature(value) for name, value in named if name in _NAMES]
    timed = [name for name, _ in named if name in _STANDARD]
    if timed and not _is_standard(secret, body, named):
        return False
    if not all(one is not None and hmac.compare_digest(one, expected) for one in given):
        return False
    return bool(timed) or (bool(given) and not require_timestamp)


def _is_standard(secret: str | bytes, body: bytes, named: list[tuple[str, str]]) -> bool:
    headers = {name: value for name, value in named if name in _STANDARD}
    if len(headers) != len([name for name, _ in named if name in _STANDARD]):
        return False  # one of them is given twice: which of them was meant?
    try:
        standard(secret).verify(body, headers, json_parse=False)
    except (WebhookVerificationError, EmptyWebhookSecretError):
        return False
    return True


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


def _pairs(headers: object) -> Iterator[tuple[str, str]]:
    """Each header that could be a signature's, its name in lower case; one that cannot be read has an empty value."""
    items = getattr(headers, "items", None)
    pairs = cast("Callable[[], Any]", items)() if callable(items) else headers
    for pair in cast("Iterable[Any]", pairs):
        if isinstance(pair, tuple | list) and len(cast("list[Any]", pair)) == 2:
            name, value = cast("list[Any]", pair)
            known = _text(name).lower().replace("_", "-").removeprefix("http-")
            if known in _NAMES or known in _STANDARD:
                for one in cast("list[Any]", value) if isinstance(value, list | tuple) else [value]:
                    yield known, _text(one)


def _signature(text: str) -> bytes | None:
    text = text.strip()
    if text[: len(PREFIX)].lower() == PREFIX:
        text = text[len(PREFIX) :]
    return bytes.fromhex(text) if re.fullmatch(r"[0-9a-fA-F]{64}", text) else None


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value if isinstance(value, str) else ""
