"""The outermost layer, pure ASGI (H35): which host was asked, how large a body may be, and the proof of who answers.

Host names decide what is served, so that DNS rebinding reaches nothing: the API on loopback names, the inbox on its own
name only, and on `localhost` a doorstep that shows nothing.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hitl_mcp.contract.local import proof
from hitl_mcp.contract.routes import NONCE, PROOF
from hitl_mcp.service.context import Keys

MAX_BODY_BYTES = 1_048_576
MAX_NONCE = 100


class Guard:
    """Dispatches by host.

    Args:
        api: answers `/v1` on loopback names.
        inbox: answers on the inbox's own host.
        doorstep: answers everything else on loopback names.
        keys: the addresses and secrets of this run.
    """

    def __init__(self, api: ASGIApp, inbox: ASGIApp, doorstep: ASGIApp, keys: Keys) -> None:
        self._api = api
        self._inbox = inbox
        self._doorstep = doorstep
        self._keys = keys
        self._inbox_host = f"{keys.inbox_host}:{keys.port}".encode()
        self._loopback = {f"{name}:{keys.port}".encode() for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        nonce = headers.get(NONCE.lower().encode())
        if nonce is not None and len(nonce) <= MAX_NONCE:
            send = _proving(send, proof(self._keys.proof_secret, nonce.decode("latin-1"), self._keys.port))
        app = self._app_for(scope["path"], headers.get(b"host", b"").lower())
        if app is None:
            await _refuse(send, 421, "This address does not serve that host. Use the address hitl-mcp gave you")
            return
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            await _refuse(send, 413, f"The body is larger than {MAX_BODY_BYTES} bytes")
            return
        await app(scope, _limited(receive), send)

    def _app_for(self, path: str, host: bytes) -> ASGIApp | None:
        is_api = path.startswith("/v1/")
        if host in self._loopback and is_api:
            return self._api
        if host == self._inbox_host:
            return None if is_api else self._inbox
        return self._doorstep if host in self._loopback else None


def _limited(receive: Receive) -> Receive:
    """Count what comes in, for bodies that do not say their length. The applications answer the 413 themselves."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY_BYTES:
            raise HTTPException(413, f"The body is larger than {MAX_BODY_BYTES} bytes")
        return message

    return counted


def _proving(send: Send, value: str) -> Send:
    async def proven(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (PROOF.lower().encode(), value.encode())]
        await send(message)

    return proven


async def _refuse(send: Send, status: int, words: str) -> None:
    body: dict[str, Any] = {"error": True, "msg": words}
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
