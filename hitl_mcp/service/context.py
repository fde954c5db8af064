"""What the parts of one running service share. Made once by `run.py`; nothing here is global."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from hitl_mcp.contract import local as derive
from hitl_mcp.contract.states import Assurance
from hitl_mcp.service.clock import Clock
from hitl_mcp.service.feed import Feed
from hitl_mcp.service.lifecycle import Lifecycle
from hitl_mcp.service.notify.mail import Mail
from hitl_mcp.service.operating.daily import Daily
from hitl_mcp.service.operating.metrics import Metrics
from hitl_mcp.service.outgoing.guard import Outgoing
from hitl_mcp.service.passwords import Passwords
from hitl_mcp.service.people import LocalAccount
from hitl_mcp.service.store import Store
from hitl_mcp.service.web.origins import Network


@dataclass(frozen=True, slots=True)
class Keys:
    """The credentials of this run and the addresses it answers to.

    Attributes:
        agent: the derived key of agents on this machine; None for a service that has no data folder.
        public_url: the origin under which people and programs reach a team's server; None on one machine.
        internal_port: where the process reaches its own API on loopback.
        allowed_hosts: further names under which the API answers, as `name` or `name:port`.
        is_team: a server of its own, which agents reach by their keys only; else somebody's own machine.
    """

    agent: str | None = field(repr=False)
    console: str = field(repr=False)
    proof_secret: bytes = field(repr=False)
    instance: str
    port: int
    inbox_host: str
    public_url: str | None = None
    internal_port: int = 0
    allowed_hosts: frozenset[str] = frozenset()
    is_team: bool = False

    @property
    def inbox_origin(self) -> str:
        """The one origin that may change anything from a browser."""
        return self.public_url or f"http://{self.inbox_host}:{self.port}"

    @property
    def public_address(self) -> str:
        """What an agent may know and tell its user; on one machine it leads to a page that shows nothing (H13)."""
        return self.public_url or f"http://localhost:{self.port}"

    @property
    def request_state_key(self) -> bytes:
        """What seals the states of MCP calls, in every process of this database."""
        return derive.request_state_key(self.proof_secret)

    @property
    def is_secure(self) -> bool:
        """Whether people come over TLS."""
        return self.inbox_origin.startswith("https://")

    @property
    def assurance(self) -> Assurance:
        """How sure one can be of an answer given here (H8)."""
        return Assurance.SIGNED_IN if self.is_team else Assurance.SAME_MACHINE_USER

    def join_url(self, code: str) -> str:
        """Where somebody with an invitation's code asks to join."""
        return f"{self.public_address}/join/{code}"

    def qr_url(self, code: str) -> str:
        """The same as a picture."""
        return f"{self.public_address}/qr/{code}.png"


@dataclass(slots=True)
class Presence:
    """Who is connected right now; tells when the service is no longer needed, and whether a page shows questions."""

    agents: int = 0
    pages: int = 0


@dataclass(slots=True)
class Services:
    """The parts of one running service."""

    store: Store
    lifecycle: Lifecycle
    feed: Feed
    clock: Clock
    account: LocalAccount
    keys: Keys
    presence: Presence
    started_at: int
    hosted_by: str
    stopping: anyio.Event
    open_inbox: Callable[[str | None], Awaitable[bool]]
    outgoing: Outgoing
    fetching: anyio.Semaphore
    metrics: Metrics
    daily: Daily
    warnings: list[str] = field(default_factory=list[str])
    rate_limit: int | None = None
    loop_aliases: dict[str, str] = field(default_factory=dict[str, str])
    cors_origins: tuple[str, ...] = ()
    database: str = "SQLite"
    back_up: Callable[[Path], Awaitable[int]] | None = None
    allow_outgoing: Callable[[list[str]], None] | None = None
    locales: Path | None = None
    mail: Mail | None = None
    passwords: Passwords = field(default_factory=Passwords)
    trusted_proxies: tuple[Network, ...] = ()

    @property
    def is_at_home(self) -> bool:
        """Whether it runs for the user of this machine, whose desktop tells of new questions."""
        return self.hosted_by in ("background", "stdio")

    def stop(self) -> None:
        """Begin to end: finish what is being written, let every stream return."""
        self.stopping.set()
