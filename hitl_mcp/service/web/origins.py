"""Where a call comes from, for limits on guessing and for the log."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.requests import HTTPConnection

from hitl_mcp.errors import NotConfigured

Network = IPv4Network | IPv6Network


def networks(names: Sequence[str]) -> tuple[Network, ...]:
    """The operator's proxies. Raises: NotConfigured."""
    try:
        return tuple(ip_network(name) for name in names)
    except ValueError:
        raise NotConfigured(
            "HITL_TRUSTED_PROXIES: must be addresses or networks like 10.0.0.5,172.16.0.0/12, separated by commas"
        ) from None


def origin_of(connection: HTTPConnection, trusted: Sequence[Network]) -> str:
    """Where the caller is, for a limit: of an IPv6 address the network of 64 bits, which is what one subscriber has."""
    here = caller_of(connection, trusted)
    try:
        address = ip_address(here)
    except ValueError:
        return here
    return str(ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


def caller_of(connection: HTTPConnection, trusted: Sequence[Network]) -> str:
    """The address of the caller: what the nearest proxy that the operator does not run, or the socket, names."""
    here = connection.client.host if connection.client is not None else ""
    hops = [part.strip() for line in connection.headers.getlist("x-forwarded-for") for part in line.split(",")]
    while hops and _is_within(here, trusted):
        here = hops.pop()
    return here[:64]


def _is_within(name: str, trusted: Sequence[Network]) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return any(address in network for network in trusted)
