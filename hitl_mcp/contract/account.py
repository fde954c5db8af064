"""What a key may do, and what is said of loops and members beside the objects themselves (contract 2.1 to 2.3)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hitl_mcp.contract.models import Loop


class RateLimit(BaseModel):
    """A key's budget of calls."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    limit: int
    remaining: int
    reset_at: datetime | None = None


class KeyFacts(BaseModel):
    """The reply to the key check. `loop_ids`: the only loops the key reaches; None for all of its person's."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    api_key_id: str
    user_id: str | None = None
    email: str | None = None
    account_status: str = "active"
    rate_limit: RateLimit | None = None
    permissions: list[str] = Field(default_factory=list[str])
    loop_ids: list[str] | None = None


class Invitation(BaseModel):
    """The ways into a loop. They come with the reply that makes it, and when they are renewed."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    loop_id: str | None = None
    invite_code: str
    join_url: str
    qr_code_url: str | None = None
    qr_code_base64: str | None = None


class NewLoopReply(Invitation):
    """A fresh loop with its ways in."""

    loop: Loop

    def model_post_init(self, context: Any, /) -> None:
        """The invitation's own name of the loop."""
        self.loop_id = self.loop.id
