"""What a running service tells its operator; the doctor and `hitl-mcp status` show it."""

from __future__ import annotations

from pydantic import BaseModel, StrictBool

from hitl_mcp.contract.text import Text


class LoopHealth(BaseModel):
    """Whether a loop's questions reach anybody. `with_channel`: of the active people, who has a channel that is on."""

    name: str
    active: int
    pending: int
    open_requests: int
    with_channel: int = 0


class Checks(BaseModel):
    """Facts about a service, for the doctor.

    Attributes:
        clock_offset_seconds: how far the database's clock is ahead of this process's.
        overdue: open requests past their deadline that nobody has closed yet.
        failing_channels: people's channels whose last message did not arrive.
    """

    version: str
    hosted_by: str
    address: str
    database: str
    schema_version: str
    schema_known: str
    clock_offset_seconds: float
    active_keys: int
    overdue: int
    failing_channels: int = 0
    loops: list[LoopHealth]
    warnings: list[Text]


class LoopReadiness(BaseModel):
    """A loop, as somebody looks at it who is about to rely on it.

    Attributes:
        reviewers: active people who may answer.
        tried: how many of them have ever answered here.
    """

    name: str
    reviewers: int
    tried: int
    guidelines: bool
    ladder: bool


class Production(BaseModel):
    """What `hitl-mcp doctor --production` judges (compatibility section 7). Moments are milliseconds since 1970.

    Attributes:
        timeouts: requests that ever ended because nobody answered, so that somebody has seen what the default does.
        asked: requests of the last 30 days, `repeatable` of them with an `Idempotency-Key`.
        told: people of loops with a channel of their own, of `people` in all.
        metrics_keys: keys that may read the metrics.
        failed_deliveries: webhooks and messages given up within 30 days.
    """

    loops: list[LoopReadiness]
    endpoints: int
    disabled_endpoints: int
    callbacks: int
    timeouts: int
    asked: int
    repeatable: int
    median_seconds: float | None
    people: int
    told: int
    failing_channels: int
    failed_deliveries: int
    metrics_keys: int
    retention_days: int | None
    anchored_at: int | None
    anchors_outside: bool
    backed_up_at: int | None
    now: int


class RetentionRun(BaseModel):
    """Run it now; `dry_run` only counts."""

    dry_run: StrictBool = False


class NewBackup(BaseModel):
    """Where the copy goes: an absolute path on the service's machine; nothing may be there yet."""

    path: Text
