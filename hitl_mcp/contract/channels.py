"""The channels of the machine's own user, as its terminal shows them. An address is never shown again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from hitl_mcp.contract.text import STORABLE, Text


class NewChannel(BaseModel):
    """A channel of Apprise. `shows_text`: messages quote the question's first line."""

    model_config = ConfigDict(extra="forbid")

    address: Annotated[str, Field(min_length=3, max_length=2_000), STORABLE]
    name: Annotated[str, Field(max_length=100), STORABLE] = ""
    shows_text: StrictBool = True


class KnownChannel(BaseModel):
    """A channel without what is secret in it.

    Attributes:
        kind: `apprise` or `webpush`.
        last_sent_at: when a message last arrived.
        failed_at: when the last one failed; null once a later one arrived.
    """

    id: str
    kind: str
    name: Text
    enabled: bool
    shows_text: bool
    last_sent_at: datetime | None = None
    failed_at: datetime | None = None
    fault: Text | None = None


class KnownChannels(BaseModel):
    """All of them, oldest first."""

    channels: list[KnownChannel]


class Arrival(BaseModel):
    """What came of a test message."""

    arrived: bool
    fault: Text | None = None
