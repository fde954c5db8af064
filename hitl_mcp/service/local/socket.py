"""The service's own listening socket, on loopback only."""

from __future__ import annotations

import logging
import socket
import sys
from dataclasses import dataclass

from hitl_mcp.errors import NotConfigured
from hitl_mcp.service.local.folder import DataFolder

log = logging.getLogger(__name__)

BACKLOG = 2_048


@dataclass(frozen=True, slots=True)
class Listening:
    """A bound socket. `moved`: the folder's former port was taken by somebody else (H14)."""

    socket: socket.socket
    port: int
    moved: bool


def listen(folder: DataFolder, wanted: int) -> Listening:
    """Bind the operator's port, else the folder's former one, else a free one that is then kept.

    Raises: NotConfigured when the operator's port is taken.
    """
    if wanted:
        bound = _bind(wanted)
        if bound is None:
            raise NotConfigured(
                f"Port {wanted} (HITL_PORT) is taken by another program. Choose another port, or unset HITL_PORT to "
                "let hitl-mcp find a free one."
            )
        return Listening(bound, wanted, moved=False)
    former = _former(folder)
    if former is not None and (bound := _bind(former)) is not None:
        return Listening(bound, former, moved=False)
    free = _bind(0)
    if free is None:
        raise NotConfigured("No port on 127.0.0.1 can be opened. Check the machine's network settings.")
    port = int(free.getsockname()[1])
    folder.port_file.write_text(str(port), encoding="ascii")
    if former is not None:
        log.warning("Port %s is taken by another program; the service moved to port %s", former, port)
    return Listening(free, port, moved=former is not None)


def listen_at(host: str, port: int) -> socket.socket:
    """A server's own address. Raises: NotConfigured when it cannot be had."""
    try:
        return _bound(host, port)
    except OSError as error:
        raise NotConfigured(
            f"The server cannot listen on {host} port {port} ({error.strerror or error}). Choose others with HITL_HOST "
            "and HITL_PORT."
        ) from error


def internal() -> socket.socket:
    """A free port on loopback, by which the process reaches its own API. Raises: NotConfigured."""
    return listen_at("127.0.0.1", 0)


def _former(folder: DataFolder) -> int | None:
    try:
        port = int(folder.port_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return port if 0 < port < 65536 else None


def _bind(port: int) -> socket.socket | None:
    try:
        return _bound("127.0.0.1", port)
    except OSError:
        return None


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol is named because asyncio sets TCP_NODELAY only then; without it each answer waits 40 ms for an ACK
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # On POSIX this allows coming back at once after a crash; on Windows it would allow two owners.
    if sys.platform != "win32":
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound
