"""The states of a request (contract section 4.1) and what each means."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a request stands. `timed_out` is accepted on input as a synonym of `timeout`."""

    PENDING = "pending"
    CLAIMED = "claimed"
    COMPLETED = "completed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"

    @classmethod
    def _missing_(cls, value: object) -> Status | None:
        return cls.TIMEOUT if value == "timed_out" else None

    @property
    def is_open(self) -> bool:
        """Whether a person can still answer."""
        return self in OPEN


OPEN = frozenset({Status.PENDING, Status.CLAIMED})


class Kind(StrEnum):
    """What a request asks for. Only an approval can have the outcome `approved` (H6)."""

    APPROVAL = "approval"
    QUESTION = "question"


class Priority(StrEnum):
    """How urgent a request is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """The higher, the more urgent."""
        return tuple(Priority).index(self)


class Channel(StrEnum):
    """The way an answer came in."""

    INBOX = "inbox"
    TERMINAL = "terminal"
    CLIENT = "client"


class Assurance(StrEnum):
    """How sure one can be that a person answered (H8).

    `same_machine_user`: whoever runs as this operating-system user could have done it. `signed_in`: a session of a
    person on a server of its own, which agents reach by their keys only. `client_asserted`: the MCP client says that
    its user answered in its own dialog, and the service cannot check that (H7).
    """

    SAME_MACHINE_USER = "same_machine_user"
    SIGNED_IN = "signed_in"
    CLIENT_ASSERTED = "client_asserted"
