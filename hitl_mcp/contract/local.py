"""How a client and the local service of one data folder know each other (D13, H14).

The folder (0700) holds a random secret. Everything else is derived from it and from the service's instance id, which is
new at every start, so what a dead service was sent is worth nothing to whoever takes its port. Each answer of the
service carries a proof: an HMAC over the caller's nonce and the port the service listens on.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

from pydantic import BaseModel

from hitl_mcp.contract.text import Text

CONTRACT_VERSION = 1
"""Raised when an older client could no longer read the answers (H27)."""

STATE_FILE = "service.json"
SECRET_FILE = "secret"
SERVICE_LOCK = "service.lock"
START_LOCK = "start.lock"


class ServiceState(BaseModel):
    """What a running service writes into its data folder. Nothing in it is secret."""

    pid: int
    port: int
    instance: str
    version: str
    contract: int
    started_at: float
    hosted_by: str = "background"
    inbox: str | None = None


class ServiceStatus(BaseModel):
    """What `hitl-mcp status` shows."""

    pid: int
    port: int
    version: str
    contract: int
    sqlite_version: str
    inbox: str
    open_requests: int
    agents: int
    pages: int
    uptime_seconds: float
    warnings: list[Text]
    hosted_by: str


def _derive(secret: bytes, *parts: str) -> str:
    return hmac.new(secret, "\x1f".join(parts).encode(), hashlib.sha256).hexdigest()


def agent_key(secret: bytes, instance: str) -> str:
    """The key of the agents on this machine, for one run of the service."""
    return "hitl_local_" + _derive(secret, "agent", instance)


def console_key(secret: bytes, instance: str) -> str:
    """The key of the person at this machine's terminal: may ask for a sign-in and end the service."""
    return "hitl_console_" + _derive(secret, "console", instance)


def proof(secret: bytes, nonce: str, port: int) -> str:
    """What only the service of this folder, listening on this port, can answer to `nonce`."""
    return _derive(secret, "proof", nonce, str(port))


def request_state_key(secret: bytes) -> bytes:
    """What seals the state of an MCP call that goes on in another request; the same in every process of a backend."""
    return bytes.fromhex(_derive(secret, "request state"))


def inbox_host(secret: bytes) -> str:
    """The inbox's own host name: no other program on this machine shares its cookies or can guess it (H13)."""
    return f"x{_derive(secret, 'inbox host')[:24]}.localhost"


def unusable(folder: Path, error: OSError) -> str:
    """What to say about a data folder that cannot be made or written."""
    return (
        f"The data folder {folder} cannot be used ({error.strerror or error}). Make it a folder you can write to, "
        "or set HITL_DATA_DIR to another one."
    )


def version_tuple(version: str) -> tuple[int, ...]:
    """`0.10.2` as (0, 10, 2), so that versions compare by number."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
