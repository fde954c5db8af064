"""Whether an API key is good, and whose it is. The backend decides."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, cast
from weakref import WeakValueDictionary

import anyio
from mcp.server.auth.provider import AccessToken
from pydantic import Field

from hitl_mcp.contract.routes import KEY_TEST
from hitl_mcp.errors import ContractBroken, HITLError, NotAllowed, NotAuthorised, Unreachable
from hitl_mcp.sdk import Resolver, http
from hitl_mcp.sdk.failures import envelope_data

ResolverFor = Callable[[str], Resolver]
"""The backend as one API key reaches it."""

MAX_KEY_LENGTH = 512
CHECK_SECONDS = 10.0


class Credential(AccessToken):
    """A good key. `client_id` is the id of the API key, so sessions are bound to the key that opened them."""

    token: str = Field(repr=False)


class _Asking:
    """One question to the backend, and whoever waits for its answer."""

    def __init__(self) -> None:
        self.over = anyio.Event()
        self.answered = False
        self.credential: Credential | None = None
        self.error: HITLError | None = None


class KeyVerifier:
    """The SDK's `TokenVerifier` over API keys. Nothing is remembered here.

    Every HTTP request asks the backend, whose own memory of a good key lasts two seconds, so a revoked key opens no
    call, session or stream after that. Requests that come while the same key is being asked about share the answer.
    What began before goes on: a call that waits gets its person's answer.

    Args:
        resolver_for: finds the backend as a key's owner.
    """

    def __init__(self, resolver_for: ResolverFor) -> None:
        self._resolver_for = resolver_for
        self._asking: dict[bytes, _Asking] = {}
        self._in_use: WeakValueDictionary[bytes, Credential] = WeakValueDictionary()
        self._http = http.new_client(read_seconds=CHECK_SECONDS)

    async def verify_token(self, token: str) -> AccessToken | None:
        """The key's credential, or None for a key that is not good.

        Raises: HITLError when the backend cannot say.
        """
        if not token.isascii() or not token.isprintable() or not 0 < len(token) <= MAX_KEY_LENGTH:
            return None
        name = key_name(token)
        while (asking := self._asking.get(name)) is not None:
            await asking.over.wait()
            if asking.error is not None:
                raise asking.error
            if asking.answered:  # else whoever asked was cut off
                return asking.credential
        asking = self._asking[name] = _Asking()
        try:
            asking.credential = self._shared(name, await self._ask(token))
            asking.answered = True
            return asking.credential
        except HITLError as error:
            asking.error = error
            raise
        finally:
            del self._asking[name]
            asking.over.set()

    def _shared(self, name: bytes, credential: Credential | None) -> Credential | None:
        """A thousand calls that wait hold one credential, not a thousand equal ones."""
        if credential is None:
            return None
        if self._in_use.get(name) != credential:
            self._in_use[name] = credential
        return self._in_use.get(name, credential)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

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
