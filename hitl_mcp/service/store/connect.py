"""One connection to PostgreSQL: how its URL is read, and how a peer that died silently is noticed (H25)."""

from __future__ import annotations

import re

import asyncpg

from hitl_mcp.errors import NotConfigured

CHANNEL = "hitl"
"""Every announcement goes over this one channel."""
OUTBOX = "outbox"
"""In an announcement among the ids: something is to be sent."""
CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 10.0

_SESSION = {
    "statement_timeout": "9000",  # milliseconds; shorter than our own bound, so that the server says what happened
    "idle_in_transaction_session_timeout": "20000",  # locks of a process that is gone are not kept
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20000",
}


def dsn(url: str) -> str:
    """The URL as the driver wants it. Raises: NotConfigured when it is not one of PostgreSQL."""
    scheme, found, rest = url.partition("://")
    if not found or scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise NotConfigured("The database URL must begin with postgresql://")
    return f"postgresql://{rest}"


def shown(url: str) -> str:
    """The URL without its password, for messages."""
    return re.sub(r"(password=)[^&]*", r"\1***", re.sub(r"://([^:/@]*):[^@/]*@", r"://\1:***@", url))


async def connect(url: str, *, read_only: bool = False, migrating: bool = False) -> asyncpg.Connection:
    """A connection whose every wait is bounded.

    Args:
        url: `postgresql://`, with the options the driver knows (`sslmode`, several hosts, ...).
        read_only: the server refuses what would change something.
        migrating: statements may take as long as they need.
    """
    settings = {"application_name": "hitl-mcp", **_SESSION}
    if read_only:
        settings["default_transaction_read_only"] = "on"
    if migrating:
        settings |= {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
    return await asyncpg.connect(
        dsn(url),
        timeout=CONNECT_SECONDS,
        command_timeout=None if migrating else COMMAND_SECONDS,
        server_settings=settings,
    )
