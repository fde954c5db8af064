"""The outgoing guard: the only way the service calls an address that an agent or a server chose.

A name is resolved once, every address it has is judged, and the connection goes to an address that was judged, so
nothing can be rebound between check and call. TLS still checks the name in the URL. Redirects are judged like first
calls. What the operator named in HITL_OUTGOING_ALLOW may be private, and may be plain http.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address

from hitl_mcp.errors import Unreachable
from hitl_mcp.service.outgoing.addresses import SETTING, Address, AllowList, is_public, literal
from hitl_mcp.service.outgoing.kept import KeptTransports
from hitl_mcp.service.outgoing.names import Resolver, look_up
from hitl_mcp.service.outgoing.wire import (
    SILENCE_SECONDS,
    URL,
    Transport,
    TransportError,
    joined,
    new_transport,
    parsed,
    refused,
    send,
    shown,
    trusted,
    why,
)

MAX_ATTEMPTS = 3
"""Addresses of one name that are tried when connecting fails."""

_REDIRECTS = (301, 302, 303, 307, 308)
_BY = f"with the setting {SETTING} on a server, or with: hitl-mcp webhooks allow HOST:PORT on your own machine"


@dataclass(frozen=True, slots=True)
class Answer:
    """The final answer of a call; `chunks` is the body as it came over the wire, to be read once."""

    url: str
    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class _Hop:
    """One call that was judged and may be made."""

    url: URL
    host: str
    addresses: tuple[Address, ...]


class Outgoing:
    """Calls out, guarded. One per service; holds connections between calls only for those that ask for it.

    Args:
        allow: the operator's list, HITL_OUTGOING_ALLOW: host names, addresses, networks, with an optional `:port`.
        resolver: turns a host name into addresses; by default the operating system's.
        tls: certificates to trust; by default those of the operating system.

    Raises: NotConfigured when an entry of `allow` cannot be read.
    """

    def __init__(
        self, allow: Sequence[str] = (), *, resolver: Resolver = look_up, tls: ssl.SSLContext | None = None
    ) -> None:
        self._allow = AllowList(allow)
        self._resolver = resolver
        self._tls = tls
        self._kept = KeptTransports()

    def allow(self, entries: Sequence[str]) -> None:
        """Replace the operator's list. Raises: NotConfigured when an entry cannot be read."""
        self._allow = AllowList(entries)

    async def aclose(self) -> None:
        """Close the connections that were kept."""
        await self._kept.aclose()

    async def check(self, url: str) -> None:
        """Judge an address without calling it, as when it is stored for later. A later call judges it again.

        Raises: BadRequest saying why it may not be called; Unreachable when its name has no address.
        """
        await self._judge(parsed(url), url)

    @asynccontextmanager
    async def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        redirects: int = 0,
        silence: float = SILENCE_SECONDS,
        keep: bool = False,
    ) -> AsyncGenerator[Answer]:
        """Call an address. Only silence is bounded here; the caller bounds the whole time and the size.

        Args:
            url: the address, as it was given.
            method: of HTTP.
            headers: sent to every hop, also to another origin; nothing secret together with `redirects`.
            content: the body; sent to every hop.
            redirects: how many are followed. More are a refusal; with 0 the redirect itself is the answer.
            silence: seconds without a byte after which it is given up.
            keep: the connection may be used for the next call to the same origin.

        Raises: BadRequest when the guard refuses; Unreachable when the answer does not come, or not whole.
        """
        hop, left = await self._judge(parsed(url), url), redirects
        while True:
            try:
                async with self._transport(hop, keep) as transport:
                    response = await send(
                        transport,
                        hop.url,
                        hop.host,
                        hop.addresses,
                        method=method,
                        headers=headers or {},
                        content=content,
                        silence=silence,
                    )
                    try:
                        target = response.headers.get("Location") if response.status_code in _REDIRECTS else None
                        if target is None or redirects == 0:
                            async with aclosing(response.aiter_raw()) as chunks:
                                yield Answer(str(hop.url), response.status_code, response.headers, chunks)
                            return
                    finally:
                        await response.aclose()
            except TransportError as error:
                raise Unreachable(f"{shown(hop.url)} {why(error)}") from error
            if left == 0:
                raise refused(f"{shown(parsed(url))} redirects more than {redirects} times. Give the final address")
            left -= 1
            hop = await self._judge(joined(hop.url, target), url, before=hop.url)

    def _transport(self, hop: _Hop, keep: bool) -> AbstractAsyncContextManager[Transport]:
        if not keep:
            return new_transport(self._certificates())
        origin = f"{hop.url.scheme}://{hop.url.netloc.decode('ascii')}"
        return self._kept.of(origin, self._certificates())

    def _certificates(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = trusted()
        return self._tls

    async def _judge(self, url: URL, given: str, before: URL | None = None) -> _Hop:
        about = shown(url) if before is None else f"{shown(parsed(given))} redirects to {shown(url)}, which"
        if url.scheme not in ("http", "https") or not url.raw_host:
            raise refused(f"{about} is not a complete web address such as https://example.com/picture.png")
        if url.userinfo:
            raise refused(f"{about} carries a user name or password. Use an address without them")
        if before is not None and (before.scheme, url.scheme) == ("https", "http"):
            raise refused(f"{about} is a step from https down to plain http. Use an address that stays with https")
        host = url.raw_host.decode("ascii").rstrip(".")
        port = (443 if url.scheme == "https" else 80) if url.port is None else url.port
        if not 1 <= port <= 65535:
            raise refused(f"{about} names port {port}. A port is between 1 and 65535")
        spelled = literal(host)
        addresses = [spelled] if spelled else [ip_address(text) for text in await self._resolver(host)]
        if not addresses:
            raise Unreachable(f"The name {host} has no address")
        named = self._allow.names(host, port)
        covered = [named or self._allow.covers(address, port) for address in addresses]
        if not all(ok or is_public(address) for ok, address in zip(covered, addresses, strict=True)):
            # The address of an inner name is not told: the caller could map the network with it.
            which = f" ({spelled})" if spelled else ""
            raise refused(f"{about} leads to a private address{which}. Use a public https address, or allow it {_BY}")
        if url.scheme == "http" and not all(covered):
            raise refused(f"{about} is plain http. Use https, or allow the host {_BY}")
        return _Hop(url, host, tuple(addresses[:MAX_ATTEMPTS]))
