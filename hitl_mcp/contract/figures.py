"""A team's figures, as the page shows them and programs read them. Seconds throughout; days are days of UTC."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel

OUTCOMES = ("approved", "rejected", "needs_changes", "answered", "timeout", "cancelled")
"""What can become of a request, as it is counted; `answered` is every answer to what was no approval."""


class Day(BaseModel):
    """One day: what was asked on it, what became of the requests that were closed on it, and how long answers took."""

    date: date
    created: int = 0
    approved: int = 0
    rejected: int = 0
    needs_changes: int = 0
    answered: int = 0
    timeout: int = 0
    cancelled: int = 0
    median_seconds: float | None = None
    p95_seconds: float | None = None

    @property
    def decided(self) -> int:
        """What people have answered."""
        return self.approved + self.rejected + self.needs_changes + self.answered

    @property
    def closed(self) -> int:
        """Everything that was closed."""
        return self.decided + self.timeout + self.cancelled


class Waiting(BaseModel):
    """What waits now and has waited for at most so long; null: for longer than the others."""

    up_to_seconds: int | None
    count: int


class Share(BaseModel):
    """A loop's or a reviewer's part."""

    id: str
    name: str
    closed: int
    timeouts: int = 0
    median_seconds: float | None = None


class Figures(BaseModel):
    """A team's figures over some days up to now."""

    days: int
    per_day: list[Day]
    median_seconds: float | None
    p95_seconds: float | None
    waiting: list[Waiting]
    escalations: int
    failed_deliveries: int
    by_loop: list[Share]
    by_reviewer: list[Share]

    def total(self, name: str) -> int:
        """Over all days: `created`, `closed`, `decided` or an outcome."""
        return sum(int(getattr(day, name)) for day in self.per_day)
