"""The local service of a data folder, as any program of its user finds it. Finding starts nothing (D13).

What answers on the port is believed only with the folder's proof (H14).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from hitl_mcp import __version__
from hitl_mcp.contract import local as derive
from hitl_mcp.contract import routes
from hitl_mcp.contract.local import CONTRACT_VERSION, SECRET_FILE, STATE_FILE, ServiceState
from hitl_mcp.errors import HITLError, NotConfigured, ServiceNotStarted
from hitl_mcp.sdk import http
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.failures import envelope_data

HELLO_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Found:
    """A service that proved to be ours."""

    folder: Path
    state: ServiceState
    secret: bytes
    version: str
    contract: int

    @property
    def address(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.state.port}"

    def endpoint(self) -> Endpoint:
        """For the agents on this machine."""
        return self._as(derive.agent_key(self.secret, self.state.instance))

    def console(self) -> Endpoint:
        """For the person at this machine's terminal."""
        return self._as(derive.console_key(self.secret, self.state.instance))

    def session(self, token: str) -> Endpoint:
        """For a signed-in reviewer at the terminal."""
        return self._as(token)

    def _as(self, key: str) -> Endpoint:
        hosted = self.state.hosted_by == "stdio"
        return Endpoint(
            self.address, key, self.state.inbox or f"http://localhost:{self.state.port}", self.state.port, self.secret,
            "The inbox is served by this agent's own process and goes away with it." if hosted else None,
        )  # fmt: skip


class RunningService:
    """The `Resolver` of a program that uses the local service and leaves starting it to others.

    Args:
        folder: the data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = anyio.Lock()
        self._current: Endpoint | None = None

    async def endpoint(self, failed: Endpoint | None = None) -> Endpoint:
        """See `Resolver`. Raises: ServiceNotStarted with the command that starts it, NotConfigured."""
        async with self._lock:
            if self._current is None or self._current is failed:
                found = await find(self._folder)
                if found is None:
                    raise ServiceNotStarted(
                        f"No local service runs for {self._folder}. Start it with `hitl-mcp start`, or set "
                        "HITL_API_KEY for the HITL.sh cloud, or HITL_API_KEY and HITL_BASE_URL for a team's server."
                    )
                speaks_with(found)
                self._current = found.endpoint()
            return self._current


def speaks_with(found: Found) -> None:
    """Raises: NotConfigured when the service is of a later contract (H27)."""
    if found.contract > CONTRACT_VERSION:
        raise NotConfigured(
            f"The local service has version {found.version}, which this client ({__version__}) cannot speak with. "
            "Update this hitl-mcp, or end the other with `hitl-mcp stop` and start this one."
        )


def read_state(folder: Path) -> tuple[ServiceState, bytes] | None:
    """What the folder says about a running service."""
    try:
        state = ServiceState.model_validate_json((folder / STATE_FILE).read_bytes())
        return state, bytes.fromhex((folder / SECRET_FILE).read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None


def request_state_key(folder: Path) -> bytes | None:
    """What seals the states of MCP calls with this folder's service; None before there is one."""
    try:
        secret = bytes.fromhex((folder / SECRET_FILE).read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None
    return derive.request_state_key(secret)


async def find(folder: Path) -> Found | None:
    """The folder's service, if it runs and proves to be ours; starts nothing and changes nothing."""
    known = read_state(folder)
    if known is None:
        return None
    state, secret = known
    unproven = Found(folder, state, secret, state.version, state.contract)
    try:
        data = await ask(unproven.session("none"), "GET", routes.HELLO, seconds=HELLO_SECONDS)
    except HITLError:
        return None
    if data.get("instance") != state.instance:
        return None
    return Found(folder, state, secret, str(data["version"]), int(data["contract"]))


async def ask(
    endpoint: Endpoint, method: str, path: str, body: dict[str, Any] | None = None, *, seconds: float = 10.0
) -> dict[str, Any]:
    """One call of the terminal commands; returns the envelope's data. Raises: Unreachable and the Refused tree."""
    async with http.new_client(read_seconds=seconds) as client:
        response = await http.exchange(client, endpoint, method, path, seconds=seconds, body=body)
    return envelope_data(response.status_code, response.content)
