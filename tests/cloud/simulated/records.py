"""What the cloud keeps. Times are seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["pending", "claimed", "completed", "timeout", "cancelled"]
"""The five of 4.1."""
SCOPES = ("loops:read", "loops:write", "requests:read", "requests:write")
"""What a key may do (1.2)."""


@dataclass
class Account:
    """A person: the owner of keys and loops, or somebody who answers."""

    id: str
    email: str
    name: str
    status: Literal["active", "suspended"] = "active"


@dataclass
class Key:
    """An API key (1.2) and its hour (1.4).

    Attributes:
        first: when its hour began; None before the first call.
        used: calls in that hour.
    """

    secret: str
    id: str
    account: Account
    active: bool = True
    first: float | None = None
    used: int = 0


@dataclass
class Member:
    """Somebody in a loop (2.3).

    Attributes:
        status: `pending` members are invited and get no requests.
        reachable: whether a push reaches the phone (4.6).
    """

    person: Account
    status: Literal["pending", "active"]
    joined_at: float | None
    reachable: bool = True


@dataclass
class Loop:
    """A loop (2.2)."""

    id: str
    name: str
    description: str
    icon: str
    creator: Account
    invite_code: str
    created_at: float
    updated_at: float
    members: list[Member] = field(default_factory=list[Member])

    def member(self, user_id: str) -> Member | None:
        """The member with this user id."""
        return next((member for member in self.members if member.person.id == user_id), None)


@dataclass(frozen=True)
class Answer:
    """What a person answered.

    Attributes:
        value: for selects the option as it was sent, or its `value`; else the value.
        as_is: it goes out exactly like this, whatever the manners are.
    """

    value: Any
    as_is: bool = False


@dataclass
class Request:
    """A request (2.5).

    Attributes:
        number: of creation, to order requests of the same moment.
        asked: the fields of the create body, as sent.
        broadcast: whom it went to: (person, whether the push succeeded).
    """

    number: int
    id: str
    loop_id: str
    creator: Account
    api_key_id: str
    asked: dict[str, Any]
    created_at: float
    timeout_at: float
    broadcast: list[tuple[Account, bool]]
    status: Status = "pending"
    updated_at: float = 0
    claimed_by: Account | None = None
    response_by: Account | None = None
    response_at: float | None = None
    answer: Answer | None = None
    feedback: dict[str, Any] | None = None

    @property
    def is_open(self) -> bool:
        """Whether a person may still answer (4.1)."""
        return self.status in ("pending", "claimed")
