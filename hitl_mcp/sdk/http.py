"""The one import of the HTTP library. `httpx2` is the maintained continuation of httpx and comes with `mcp` 2.x."""

from __future__ import annotations

import hmac
import secrets
import ssl
import string
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import anyio
import httpx2

from hitl_mcp import __version__
from hitl_mcp.contract.local import proof
from hitl_mcp.contract.routes import NONCE, PROOF
from hitl_mcp.errors import TimedOut, Unreachable
from hitl_mcp.sdk.endpoint import Endpoint

Client = httpx2.AsyncClient
Transport = httpx2.AsyncBaseTransport
HTTPResponse = httpx2.Response
TransportError = httpx2.RequestError
NotConnected = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
"""Failures before anything was sent; repeating is always safe."""

MAX_ANSWER_BYTES = 32 * 2**20
"""Far more than the longest list; without a bound a backend, or what stands before it, could fill the memory."""
_CODINGS = {"", "identity", "gzip", "deflate"}
"""One coding at most: a second one would multiply what the first unpacks to."""
_LEAST_KEY = 8
CALL_SECONDS = 30.0
"""How long a plain call may take: a little more than the service's own limit for a unit of work."""


class Reply(NamedTuple):
    """What came back, read whole."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


def new_client(
    *,
    read_seconds: float = CALL_SECONDS,
    abroad: bool = False,
    user_agent: str | None = None,
    transport: Transport | None = None,
) -> Client:
    """A pooled client.

    On loopback proxies of the environment are not used, and no certificate authority is loaded: that takes 20 to 40 ms
    and loopback needs none. TLS would fail there, not trust.

    Args:
        read_seconds: how long the backend may be silent.
        abroad: the backend is reached over a network: certificates are checked, the environment's proxies used.
        user_agent: stands before the package's own.
        transport: another way to the wire than sockets.
    """
    own = f"hitl-mcp-server/{__version__}"
    named = quote(user_agent, safe=string.punctuation + " ") if user_agent else ""  # headers hold ASCII only
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(10.0 if abroad else 5.0, read=read_seconds, pool=60.0),
        limits=httpx2.Limits(max_connections=20, max_keepalive_connections=20, keepalive_expiry=60.0),
        verify=True if abroad else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        headers={"User-Agent": f"{named} {own}".strip()},
        trust_env=abroad,
        follow_redirects=False,
        transport=transport,
    )


def new_nonce() -> str:
    """A fresh challenge for one call."""
    return secrets.token_hex(16)


def call_headers(endpoint: Endpoint, nonce: str) -> dict[str, str]:
    """Credential and challenge of one call."""
    headers = {"Authorization": f"Bearer {endpoint.key}"}
    if endpoint.proof_secret is not None:
        headers[NONCE] = nonce
    return headers


def check_proof(endpoint: Endpoint, nonce: str, response: HTTPResponse) -> None:
    """Raises: Unreachable when somebody else answers on the service's port (H14)."""
    if endpoint.proof_secret is None:
        return
    expected = proof(endpoint.proof_secret, nonce, endpoint.port)
    if not hmac.compare_digest(response.headers.get(PROOF, ""), expected):
        raise Unreachable(f"Another program answers on port {endpoint.port}; its answer was not read")


def stream_timeout(silence_seconds: float) -> httpx2.Timeout:
    """For an event stream: a bound on silence, none on length."""
    return httpx2.Timeout(5.0, read=silence_seconds, pool=60.0)


async def probe(url: str, seconds: float) -> int:
    """The status with which an address answers, by the operating system's certificates. Raises: Unreachable."""
    try:
        async with httpx2.AsyncClient(timeout=seconds, follow_redirects=False) as client:
            return (await client.get(url)).status_code
    except TransportError as error:
        raise Unreachable(str(error) or type(error).__name__) from error


async def lines(response: HTTPResponse) -> AsyncIterator[str]:
    """The lines of an event stream.

    Ended by a line feed only: the library's own also end at U+2028 and the like, which stand in people's texts.

    Raises: Unreachable for a line that is longer than any answer may be.
    """
    rest = bytearray()
    _check_coding(response)
    async for part in response.aiter_bytes():
        rest += part
        if b"\n" in part:
            *whole, rest = rest.split(b"\n")
            for line in whole:
                yield line.removesuffix(b"\r").decode()
        if len(rest) > MAX_ANSWER_BYTES:
            raise _too_much()


async def read_whole(response: HTTPResponse) -> bytes:
    """The body. Raises: Unreachable when it is longer than any answer of a backend."""
    _check_coding(response)
    content = bytearray()
    async for part in response.aiter_bytes():
        content += part
        if len(content) > MAX_ANSWER_BYTES:
            raise _too_much()
    return bytes(content)


def _check_coding(response: HTTPResponse) -> None:
    if response.headers.get("Content-Encoding", "").strip().lower() not in _CODINGS:
        raise Unreachable("The backend's answer is packed in a way that was not asked for; it was not read")


def _too_much() -> Unreachable:
    return Unreachable(f"The backend's answer is longer than {MAX_ANSWER_BYTES >> 20} MiB; it was not read")


async def exchange(
    client: Client,
    endpoint: Endpoint,
    method: str,
    path: str,
    *,
    seconds: float,
    query: Mapping[str, str | int | float] | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """One call. The proof is checked before the answer is read, and the whole is bounded in time and size (H14, H36).

    Raises: Unreachable; its cause tells whether anything was sent. TimedOut when the time was over.
    """
    nonce = new_nonce()
    all_headers = call_headers(endpoint, nonce) | dict(headers or {})
    try:
        with anyio.fail_after(seconds):
            async with client.stream(
                method, endpoint.base_url + path, params=query, json=body, headers=all_headers,
                timeout=httpx2.Timeout(client.timeout.connect, read=seconds, pool=client.timeout.pool),
            ) as response:  # fmt: skip
                check_proof(endpoint, nonce, response)
                content = await read_whole(response)
                if response.status_code >= 400 and len(endpoint.key) > _LEAST_KEY:
                    content = content.replace(endpoint.key.encode(), b"(the key)")  # some echo it when they refuse it
                return Reply(response.status_code, response.headers, content)
    except NotConnected as error:
        raise Unreachable(f"The backend did not answer ({type(error).__name__})") from error
    except (httpx2.TimeoutException, TimeoutError) as error:
        raise TimedOut(f"The backend did not answer within {seconds:g} s") from error
    except TransportError as error:
        raise Unreachable(f"The backend did not answer ({type(error).__name__})") from error
