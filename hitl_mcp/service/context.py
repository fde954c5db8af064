"""What the parts of one running service share. Made once by `run.py`; nothing here is global."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from hitl_mcp.service.clock import Clock
from hitl_mcp.service.feed import Feed
from hitl_mcp.service.lifecycle import Lifecycle
from hitl_mcp.service.people import LocalAccount
from hitl_mcp.service.store import Store


@dataclass(frozen=True, slots=True)
class Keys:
    """The credentials of this run and the addresses it answers to."""

    agent: str
    console: str
    proof_secret: bytes
    instance: str
    port: int
    inbox_host: str

    @property
    def inbox_origin(self) -> str:
        """The one origin that may change anything from a browser."""
        return f"http://{self.inbox_host}:{self.port}"

    @property
    def public_address(self) -> str:
        """What an agent may know and tell its user; it leads to a page that shows nothing (H13)."""
        return f"http://localhost:{self.port}"


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
    warnings: list[str] = field(default_factory=list[str])

    def stop(self) -> None:
        """Begin to end: finish what is being written, let every stream return."""
        self.stopping.set()
