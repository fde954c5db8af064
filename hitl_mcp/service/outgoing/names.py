"""Host names to addresses, in a bounded number of threads."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable, Sequence

import anyio
from anyio import to_thread

from hitl_mcp.errors import Unreachable

Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""Host name to addresses as text, in the order to try them. Raises: Unreachable when there are none."""

LOOKUP_SECONDS = 5.0
MAX_LOOKUPS = 8

# A lookup cannot be interrupted: one that was given up still holds its thread, and counts until it ends.
_running = threading.BoundedSemaphore(MAX_LOOKUPS)
_waiting = anyio.CapacityLimiter(MAX_LOOKUPS)


async def look_up(host: str) -> list[str]:
    """Ask the operating system, for at most `LOOKUP_SECONDS`.

    Raises: Unreachable when the name has no address, or no answer came in time.
    """
    try:
        with anyio.fail_after(LOOKUP_SECONDS):
            return await to_thread.run_sync(_ask, host, abandon_on_cancel=True, limiter=_waiting)
    except TimeoutError:
        raise Unreachable(f"The name {host} was not resolved within {LOOKUP_SECONDS:g} seconds") from None
    except (OSError, UnicodeError):  # no such name; a label that is empty or too long
        raise Unreachable(f"The name {host} has no address") from None


def _ask(host: str) -> list[str]:
    if not _running.acquire(blocking=False):
        raise Unreachable("Too many host names are being looked up; try again in half a minute")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    finally:
        _running.release()
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
