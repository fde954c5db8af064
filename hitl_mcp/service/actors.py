"""Who acts. The three kinds never overlap: an agent asks, a reviewer answers, a console opens the door (D10)."""

from __future__ import annotations

from dataclasses import dataclass

from hitl_mcp.contract.states import Assurance, Channel
from hitl_mcp.contract.teams import DEFAULT_SCOPES, Scope


@dataclass(frozen=True, slots=True)
class Agent:
    """The holder of an API key. May create, read, change and cancel its own requests; can never answer, but for H7.

    Attributes:
        client: which program asks, in its own words.
        scopes: what the key was granted.
        loop_ids: the only loops it reaches, or None.
        token: marks the short-lived token of the key that it came with, as from a web page.
    """

    api_key_id: str
    user_id: str
    client: str | None = None
    scopes: frozenset[Scope] = frozenset(DEFAULT_SCOPES)
    loop_ids: frozenset[str] | None = None
    email: str | None = None
    token: str | None = None

    @property
    def by_token(self) -> bool:
        """Whether it is a visitor's page, one of many that ask with the same key."""
        return self.token is not None

    @property
    def actor(self) -> str:
        """As the event log writes it."""
        return f"key:{self.api_key_id}"

    def reaches(self, loop_id: str) -> bool:
        """Whether the key's own limit lets it near a loop (H9)."""
        return self.loop_ids is None or loop_id in self.loop_ids


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in reviewer."""

    user_id: str
    name: str
    channel: Channel
    assurance: Assurance = Assurance.SAME_MACHINE_USER

    @property
    def actor(self) -> str:
        """As the event log writes it."""
        return f"user:{self.user_id}"


@dataclass(frozen=True, slots=True)
class Console:
    """The person at the machine's terminal, by the data folder's secret. May ask for a sign-in and end the service."""


SYSTEM = "system"
"""The actor of expiry and of abandoned claims."""
