"""Who may come in: the host that was asked, the page that asks, and the API key, before a body is read."""

from __future__ import annotations

import json

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from hitl_mcp.errors import HITLError
from hitl_mcp.tools.http.keys import KeyVerifier

_WORDS = {
    421: "This server does not answer to that host name. Use the address its operator gave you, or have the operator "
    "allow this host.",
    403: "Pages of that origin may not use this server. Have its operator allow the origin.",
}
NO_KEY = "Send your HITL API key with every request, as the header: Authorization: Bearer <api key>"
BAD_KEY = "This API key is not known or was revoked. Put a valid one into the header: Authorization: Bearer <api key>"


class Door:
    """Lets good requests through, with their credential in the scope and in the context of the call.

    Args:
        app: what is behind.
        verifier: knows the keys.
        security: hosts and origins that are served.
    """

    def __init__(self, app: ASGIApp, verifier: KeyVerifier, security: TransportSecuritySettings) -> None:
        self._app = AuthContextMiddleware(app)
        self._backend = BearerAuthBackend(verifier)
        self._security = TransportSecurityMiddleware(security)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI, HTTP only."""
        request = Request(scope)
        if refusal := await self._security.validate_request(request):
            words = _WORDS.get(refusal.status_code, "This request is refused.")
            await refuse(send, refusal.status_code, "forbidden", words)
            return
        try:
            found = await self._backend.authenticate(request)
        except HITLError as error:
            words = f"The API key could not be checked, so nothing was done. Try again. ({error})"
            await refuse(send, 503, "temporarily_unavailable", words, (b"retry-after", b"2"))
            return
        if found is None:
            given = "authorization" in request.headers
            challenge = b'Bearer realm="hitl-mcp", error="invalid_token"' if given else b'Bearer realm="hitl-mcp"'
            words = BAD_KEY if given else NO_KEY
            await refuse(send, 401, "invalid_token", words, (b"www-authenticate", challenge))
            return
        scope["auth"], scope["user"] = found
        del request, found
        await self._app(scope, receive, send)


async def refuse(send: Send, status: int, error: str, words: str, *headers: tuple[bytes, bytes]) -> None:
    """A refusal in the form that OAuth clients read, with words for people. The rest of the body is not read."""
    body = json.dumps({"error": error, "error_description": words}).encode()
    length = (b"content-length", str(len(body)).encode())
    all_headers = [(b"content-type", b"application/json"), length, (b"connection", b"close"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body})
