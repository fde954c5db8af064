"""A person's answer from the click to the row: recorded at once, or held for a moment so that it can be taken back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from sqlalchemy import bindparam

from hitl_mcp.contract.text import canonical
from hitl_mcp.service.lifecycle.guards import STEP, UNCLAIMED

COMPLETED: dict[str, Any] = {
    "status": "completed", "response_by": bindparam("by"), "response_at": bindparam("at"),
    "decided_revision": bindparam("decided"), "response_data": bindparam("answer"),
    "response_comment": bindparam("comment"), "response_channel": bindparam("channel"),
    "response_assurance": bindparam("assurance"), "held_until": None, "held_answer": None, **UNCLAIMED, **STEP,
}  # fmt: skip
"""What an UPDATE sets to close a request with an answer; it takes `Given.columns`."""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that fits, and the circumstances that it was given in.

    Attributes:
        value: as it is stored and reported.
        by: the id of the person it counts for.
        actor: who gave it, as the event log writes it.
        revision: the one that was shown (H4).
        at: when it was given, in milliseconds since 1970.
    """

    value: Any
    comment: str
    by: str
    actor: str
    channel: str
    assurance: str
    revision: int
    view_digest: str
    at: int

    @classmethod
    def read(cls, text: str) -> Self:
        """As `text` wrote it."""
        return cls(**json.loads(text))

    @property
    def text(self) -> str:
        """As it is held."""
        return canonical(asdict(self))

    @property
    def columns(self) -> dict[str, Any]:
        """The parameters of `COMPLETED`, but for `now`."""
        return {
            "by": self.by, "at": self.at, "decided": self.revision, "answer": canonical(self.value),
            "comment": self.comment or None, "channel": self.channel, "assurance": self.assurance,
        }  # fmt: skip

    @property
    def data(self) -> dict[str, Any]:
        """What the event log says of it."""
        return {
            "response_data": self.value, "comment": self.comment, "revision": self.revision,
            "view_digest": self.view_digest, "channel": self.channel, "assurance": self.assurance,
        }  # fmt: skip
