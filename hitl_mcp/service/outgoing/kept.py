"""Connections that are kept for the next call to the same origin, as to an endpoint that is called again and again.

Each origin has connections of its own, so that TLS to one name is never used for another that shares its address. A
call goes to an address that was judged for it, and a kept connection leads to exactly the address it was opened to.
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hitl_mcp.service.outgoing.wire import Transport, new_transport

MOST_ORIGINS = 100


@dataclass(slots=True, eq=False)
class _Kept:
    transport: Transport
    users: int = 0


class KeptTransports:
    """Transports by origin, the least used closed first; one that is in use is closed by its last user."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    @asynccontextmanager
    async def of(self, origin: str, tls: ssl.SSLContext) -> AsyncGenerator[Transport]:
        """The transport of an origin (`https://host:port`), for one call."""
        found = self._kept.get(origin)
        if found is None:
            found = self._kept[origin] = _Kept(new_transport(tls))
        self._kept.move_to_end(origin)
        found.users += 1
        try:
            yield found.transport
        finally:
            found.users -= 1
            if self._kept.get(origin) is not found:
                if not found.users:
                    await found.transport.aclose()
            elif len(self._kept) > MOST_ORIGINS:
                _, oldest = self._kept.popitem(last=False)
                if not oldest.users:
                    await oldest.transport.aclose()

    async def aclose(self) -> None:
        """Close every connection that no call uses."""
        kept, self._kept = list(self._kept.values()), OrderedDict()
        for one in kept:
            if not one.users:
                await one.transport.aclose()
