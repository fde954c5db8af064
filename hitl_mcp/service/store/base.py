"""The seam of the storage layer: what a unit of work gets, and what a store can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Notice:
    """What a transaction did, announced after its commit. Carries ids only; the row is the truth.

    Attributes:
        position: of a new entry of the event log; 0 for what was put into the outbox only.
        target: of what was put into the outbox; None for an entry of the log.
        due_at: when that is to be sent, in milliseconds since 1970.
    """

    position: int
    request_id: str
    target: str | None = None
    due_at: int = 0


@dataclass(slots=True)
class Tx:
    """One unit's view of its transaction.

    Attributes:
        connection: the SQLAlchemy connection; the unit never commits.
        now: milliseconds since 1970, read inside the unit (H22).
        notices: what to announce once the transaction is durable.
    """

    connection: Connection
    now: int
    notices: list[Notice] = field(default_factory=list[Notice])


Unit = Callable[[Tx], T]
"""A unit of work. It may be run again, so it does nothing but read and write through its `Tx`."""


class Store(Protocol):
    """A database. Implementations: `sqlite.SQLiteStore`, `postgres.PostgresStore`."""

    @property
    def commits_in_order(self) -> bool:
        """Whether an entry of the log can never become visible after one with a higher position (H23)."""
        ...

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit and return its result after it is durable.

        Raises: whatever the unit raised (its changes are undone); ServiceFault when the store cannot take or keep it.
        """
        ...

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that reads a few rows, over the last committed state."""
        ...

    async def scan(self, unit: Unit[T]) -> T:
        """Run a unit that may read many rows, without holding up the event loop."""
        ...

    async def scrub(self) -> None:
        """Leave no byte of what was deleted or overwritten in the database's files, as far as it is ours to do."""
        ...

    def on_commit(self, listener: Callable[[list[Notice]], None]) -> None:
        """Call `listener` on the event loop with the notices of each durable commit."""
        ...
