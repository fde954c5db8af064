"""What a client's block shall say, before it is put into that client's own words."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from hitl_mcp.errors import NotConfigured

SERVER_NAME = "hitl"
KEY = "HITL_API_KEY"
OPEN = ("HITL_BASE_URL", "HITL_BACKEND", "HITL_DATA_DIR", "HITL_LOOP", "HITL_TOOLS", "HITL_WAIT_SECONDS")
"""Settings of an agent's server that are no secrets."""

CALL_SECONDS = 3700
"""A time limit for one call, in seconds, above the longest wait that a tool accepts (3600 s)."""


@dataclass(frozen=True)
class Wanted:
    """A local server with its settings, or a team's server by its address.

    Args:
        environment: settings to put into the block, by the names of their variables.
        remote: address of a team's MCP endpoint; None for a server that the client starts itself.
    """

    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    remote: str | None = None

    def local(self) -> dict[str, Any]:
        """How a client starts this very installation.

        By its absolute interpreter, because desktop programs do not have the terminal's PATH. `-P`, because hosts start
        servers in the project's folder, and a file there must not run as one of our modules (H8).
        """
        block: dict[str, Any] = {"command": sys.executable, "args": ["-P", "-m", "hitl_mcp"]}
        if self.environment:
            block["env"] = dict(self.environment)
        return block

    def headers(self, reference: str) -> dict[str, str]:
        """The header that carries the key: the key itself where given, else the client's way to name it."""
        return {"Authorization": f"Bearer {self.environment.get(KEY, reference)}"}


def endpoint(address: str) -> str:
    """The MCP endpoint of a team's server. Raises: NotConfigured.

    Args:
        address: `https://hitl.example.com`, with or without `/mcp`.
    """
    parts = urlsplit(address.strip())
    plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise NotConfigured("--remote: must be the address of a team's server, like https://hitl.example.com/mcp.")
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path or '/mcp'}"


def joined(before: Mapping[str, Any], block: Mapping[str, Any]) -> dict[str, Any]:
    """Our entry as it shall be: what it was asked to say, and what somebody added to it by hand.

    Settings in `env` stay, so that writing the block again does not lose a key; what belongs to the other kind of
    server (local or remote) goes.
    """
    kept = {name: block.get(name, value) for name, value in before.items() if name in block or name not in _KINDS}
    entry = {**kept, **block}
    settings: Any = before.get("env")
    if "command" in block and isinstance(settings, dict) and settings:
        entry["env"] = {**settings, **block.get("env", {})}
    return entry


_KINDS = frozenset({"type", "source", "command", "args", "env", "url", "httpUrl", "serverUrl", "headers",
                    "bearer_token_env_var", "http_headers", "env_http_headers"})  # fmt: skip
