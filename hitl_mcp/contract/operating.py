"""What a running service tells its operator; the doctor and `hitl-mcp status` show it."""

from __future__ import annotations

from pydantic import BaseModel

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


class NewBackup(BaseModel):
    """Where the copy goes: an absolute path on the service's machine; nothing may be there yet."""

    path: Text
