"""Which addresses may be called: the public ones, and what the operator named. Nothing here touches the network."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from hitl_mcp.errors import NotConfigured

SETTING = "HITL_OUTGOING_ALLOW"

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# `is_global` differs between patch releases of Python and calls multicast global, so the list stands here too.
_NOT_PUBLIC: tuple[Network, ...] = (
    *map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's metadata, inside public space
            "169.254.0.0/16",  # link-local; the metadata of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocol assignments; Oracle's metadata
            "192.0.2.0/24",
            "192.88.99.0/24",  # relays of 6to4
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",  # multicast, reserved, broadcast
        ),
    ),
    *map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, Teredo among them
            "2001:db8::/32",
            "2002::/16",  # 6to4: leads to any IPv4 address
            "3fff::/20",
        ),
    ),
)
_ENTRY = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


def literal(host: str) -> Address | None:
    """The address a host spells, also as `127.1`, `0x7f000001` or `2130706433`; None for a name.

    Args:
        host: as in a URL, without brackets.
    """
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public internet, seen through IPv4-mapped and NAT64 forms."""
    address = _real(address)
    if isinstance(address, IPv6Address) and (address not in _UNICAST or address.scope_id is not None):
        return False
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)


def _real(address: Address) -> Address:
    """The IPv4 address that a call to an IPv6 form of it reaches."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address


@dataclass(frozen=True, slots=True)
class _Rule:
    where: str | Network
    port: int | None


class AllowList:
    """What the operator lets the service call although it is private, or without TLS.

    Args:
        entries: host names, IP addresses or CIDR networks, each with an optional `:port` (`[::1]:8080` for IPv6).

    Raises: NotConfigured when an entry cannot be read.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._rules = tuple(_read(entry.strip().lower()) for entry in entries if entry.strip())

    def names(self, host: str, port: int) -> bool:
        """Whether the operator named this host name (lower case), whatever it resolves to."""
        return any(rule.where == host and rule.port in (None, port) for rule in self._rules)

    def covers(self, address: Address, port: int) -> bool:
        """Whether the address lies in a network the operator named."""
        forms = (address, _real(address))
        return any(
            not isinstance(rule.where, str) and rule.port in (None, port) and any(form in rule.where for form in forms)
            for rule in self._rules
        )


def _read(entry: str) -> _Rule:
    wrong = NotConfigured(
        f"{SETTING}: {entry!r} is no host name, IP address or network. "
        "Write for example: hooks.example.internal, 10.1.2.3:8080, 10.0.0.0/8, [::1]:5678"
    )
    network = _network(entry)
    if network is not None:
        return _Rule(network, None)
    parts = _ENTRY.fullmatch(entry)
    if parts is None:
        raise wrong
    port = int(parts["port"]) if parts["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise wrong
    network = _network(parts["six"] or parts["host"])
    if network is not None:
        return _Rule(network, port)
    host = (parts["host"] or "").removesuffix(".")
    # A bare number is more likely a forgotten host than an address spelled as one.
    if not _NAME.fullmatch(host) or literal(host) is not None:
        raise wrong
    return _Rule(host, port)


def _network(text: str) -> Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None
