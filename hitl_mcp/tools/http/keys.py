"""Whether an API key is good, and whose it is. The backend decides; its yes is remembered for a few seconds."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, cast

import anyio
from mcp.server.auth.provider import AccessToken
from pydantic import Field

from hitl_mcp.contract.routes import KEY_TEST
from hitl_mcp.errors import ContractBroken, NotAllowed, NotAuthorised, Unreachable
from hitl_mcp.sdk import Resolver, http
from hitl_mcp.sdk.failures import envelope_data

ResolverFor = Callable[[str], Resolver]
"""The backend as one API key reaches it."""

REMEMBERED_SECONDS = 5.0
"""How long a key that was taken back may still open new calls."""
MAX_REMEMBERED = 10_000
MAX_KEY_LENGTH = 512
CHECK_SECONDS = 10.0


class Credential(AccessToken):
    """A good key. `client_id` is the id of the API key, so sessions are bound to the key that opened them."""

    token: str = Field(repr=False)


class KeyVerifier:
    """The SDK's `TokenVerifier` over API keys.

    Args:
        resolver_for: finds the backend as a key's owner.
    """

    def __init__(self, resolver_for: ResolverFor) -> None:
        self._resolver_for = resolver_for
        self._known: OrderedDict[bytes, tuple[float, Credential]] = OrderedDict()
        # a thousand calls of one key ask once; striped, so that the locks need no housekeeping
        self._locks = [anyio.Lock() for _ in range(64)]
        self._http = http.new_client(read_seconds=CHECK_SECONDS)

    async def verify_token(self, token: str) -> AccessToken | None:
        """The key's credential, or None for a key that is not good.

        Raises: HITLError when the backend cannot say.
        """
        if not token.isascii() or not token.isprintable() or not 0 < len(token) <= MAX_KEY_LENGTH:
            return None
        name = key_name(token)
        if known := self._remembered(name):
            return known
        async with self._locks[name[0] % len(self._locks)]:
            if known := self._remembered(name):
                return known
            credential = await self._ask(token)
            if credential is not None:
                self._known[name] = time.monotonic() + REMEMBERED_SECONDS, credential
                self._known.move_to_end(name)
                if len(self._known) > MAX_REMEMBERED:
                    self._known.popitem(last=False)
            return credential

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _remembered(self, name: bytes) -> Credential | None:
        until, credential = self._known.get(name, (0.0, None))
        return credential if time.monotonic() < until else None

    async def _ask(self, key: str) -> Credential | None:
        resolver = self._resolver_for(key)
        endpoint = await resolver.endpoint()
        try:
            response = await http.exchange(self._http, endpoint, "GET", KEY_TEST, seconds=CHECK_SECONDS)
        except Unreachable:  # once more, where the backend is now
            endpoint = await resolver.endpoint(endpoint)
            response = await http.exchange(self._http, endpoint, "GET", KEY_TEST, seconds=CHECK_SECONDS)
        try:
            data = envelope_data(response.status_code, response.content)
        except (NotAuthorised, NotAllowed):
            return None
        return _credential(key, data)


def key_name(key: str) -> bytes:
    """What stands for a key in memory's indexes."""
    return hashlib.sha256(key.encode()).digest()


def _credential(key: str, data: Any) -> Credential:
    known = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    api_key_id, permissions = known.get("api_key_id"), known.get("permissions")
    if not isinstance(api_key_id, str) or not api_key_id:
        raise ContractBroken("The backend did not say whose API key this is")
    scopes = [str(name) for name in cast("list[Any]", permissions)] if isinstance(permissions, list) else []
    return Credential(token=key, client_id=api_key_id, scopes=scopes)
