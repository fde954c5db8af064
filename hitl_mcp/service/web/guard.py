"""The outermost layer, pure ASGI (H35): which host was asked, how large a body may be, and the proof of who answers.

Host names decide what is served, so that DNS rebinding reaches nothing. On one machine: the API on loopback names, the
inbox on its own name only, and on `localhost` a doorstep that shows nothing. A team's server answers with everything
under its public name; further names that the operator allows reach the API and MCP.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hitl_mcp.contract.local import proof
from hitl_mcp.contract.routes import HEALTH, NONCE, PROOF, READY
from hitl_mcp.service.context import Keys

MAX_BODY_BYTES = 1_048_576
MAX_NONCE = 100

_API = re.compile(r"/v1/|/qr/|/requests/[^/]+/(response|status)$|(/docs(/|$)|/openapi\.json$|/llms\.txt$|/metrics$)")
_SHARED = re.compile(r"/loops(/|$)")
"""The oldest base without `/v1` is the pages' own path too; programs show a key there, browsers a cookie."""
_MCP = re.compile(r"/(mcp|sse|messages)(/|$)")
_ANYWHERE = (HEALTH, READY)
"""Answered under any host name: load balancers ask by address, and the answer tells nothing."""


@dataclass(frozen=True, slots=True)
class Faces:
    """What a service shows.

    Attributes:
        api: the JSON API and its description.
        inbox: people's pages.
        doorstep: a page that only tells where the inbox can be opened.
        mcp: MCP over HTTP, where it is served; it bounds its bodies itself.
    """

    api: ASGIApp
    inbox: ASGIApp
    doorstep: ASGIApp
    mcp: ASGIApp | None = None

    def for_programs(self, path: str, *, is_program: bool) -> ASGIApp | None:
        """What programs ask for, if this path is theirs.

        Args:
            is_program: whether the call shows a key, or asks on behalf of a page that will.
        """
        if _API.match(path) or (is_program and _SHARED.match(path)):
            return self.api
        return self.mcp if _MCP.match(path) else None


class Guard:
    """Dispatches by host.

    Args:
        faces: what is served.
        keys: the addresses and secrets of this run.
    """

    def __init__(self, faces: Faces, keys: Keys) -> None:
        self._faces = faces
        self._keys = keys
        self._inbox_host = f"{keys.inbox_host}:{keys.port}"
        self._public_host = urlsplit(keys.public_url).netloc.lower() if keys.public_url else None
        ports = {keys.port, keys.internal_port}
        self._loopback = {f"{name}:{port}" for name in ("127.0.0.1", "localhost") for port in ports}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        if len(headers) != len(scope["headers"]) and sum(name == b"host" for name, _ in scope["headers"]) > 1:
            await _refuse(send, 400, "The request names more than one host")
            return
        nonce = headers.get(NONCE.lower().encode())
        if nonce is not None and len(nonce) <= MAX_NONCE:
            send = _proving(send, proof(self._keys.proof_secret, nonce.decode("latin-1"), self._keys.internal_port))
        is_program = b"authorization" in headers or b"access-control-request-method" in headers
        app = self._app_for(scope["path"], headers.get(b"host", b"").decode("latin-1").lower(), is_program=is_program)
        if app is None:
            await _refuse(
                send, 421, "This address does not serve that host. Use the address hitl-mcp gave you; whoever runs a "
                "server allows further names by HITL_PUBLIC_URL and HITL_ALLOWED_HOSTS",
            )  # fmt: skip
            return
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            await _refuse(send, 413, f"The body is larger than {MAX_BODY_BYTES} bytes")
            return
        del headers, nonce, length  # a call may be held for an hour with a thousand others
        await app(scope, receive if app is self._faces.mcp else _limited(receive), send)

    def _app_for(self, path: str, host: str, *, is_program: bool) -> ASGIApp | None:
        if path in _ANYWHERE:
            return self._faces.api
        programs = self._faces.for_programs(path, is_program=is_program)
        if host == self._public_host:
            return programs or self._faces.inbox
        if host in self._loopback:
            return programs or self._faces.doorstep
        if host == self._inbox_host:
            return None if programs is self._faces.api or self._public_host else self._faces.inbox
        if host in self._keys.allowed_hosts or host.rsplit(":", 1)[0] in self._keys.allowed_hosts:
            return programs
        return None


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
    content = json.dumps(body).encode()
    length = str(len(content)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
