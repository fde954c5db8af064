"""Who acts. The three kinds never overlap: an agent asks, a reviewer answers, a console opens the door (D10)."""

from __future__ import annotations

from dataclasses import dataclass

from hitl_mcp.contract.states import Assurance, Channel


@dataclass(frozen=True, slots=True)
class Agent:
    """The holder of an API key. May create, read, change and cancel its own requests; can never answer."""

    api_key_id: str
    user_id: str
    client: str | None = None

    @property
    def actor(self) -> str:
        """As the event log writes it."""
        return f"key:{self.api_key_id}"


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
