"""Facts about this service that tell an operator whether it can do its work."""

from __future__ import annotations

import time

from sqlalchemy import func, select, text

from hitl_mcp import __version__
from hitl_mcp.contract.operating import Checks, LoopHealth
from hitl_mcp.service.context import Services
from hitl_mcp.service.rows import IS_OPEN
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import SCHEMA_HEAD, api_keys, channels, loops, members, requests

LATE_MS = 5_000

_people = select(func.count()).where(members.c.loop_id == loops.c.id)
_told = select(channels.c.user_id).where(channels.c.enabled == 1)
_failing = select(func.count()).where(channels.c.enabled == 1, channels.c.failed_at.is_not(None))
_loops = (
    select(
        loops.c.name,
        _people.where(members.c.status == "active").scalar_subquery().label("active"),
        _people.where(members.c.status == "pending").scalar_subquery().label("pending"),
        select(func.count()).where(requests.c.loop_id == loops.c.id, IS_OPEN).scalar_subquery().label("open_requests"),
        _people.where(members.c.status == "active", members.c.user_id.in_(_told))
        .scalar_subquery()
        .label("with_channel"),
    )
    .where(loops.c.archived_at.is_(None))
    .order_by(loops.c.created_at, loops.c.id)
)
_keys = select(func.count()).where(api_keys.c.key_hash.is_not(None), api_keys.c.revoked_at.is_(None))
_VERSIONS = {"sqlite": "SELECT 'SQLite ' || sqlite_version()", "postgresql": "SELECT version()"}


async def checks(services: Services) -> Checks:
    """Read the facts. Raises: ServiceFault when the database does not answer."""

    def read(tx: Tx) -> Checks:
        connection = tx.connection
        overdue = select(func.count()).where(IS_OPEN, requests.c.timeout_at < tx.now - LATE_MS)
        words = str(connection.execute(text(_VERSIONS[connection.dialect.name])).scalar_one())
        return Checks(
            version=__version__,
            hosted_by=services.hosted_by,
            address=services.keys.public_address,
            database=" ".join(words.split()[:2]),
            schema_version=str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()),
            schema_known=SCHEMA_HEAD,
            clock_offset_seconds=tx.now / 1000 - time.time(),
            active_keys=connection.execute(_keys).scalar_one(),
            overdue=connection.execute(overdue).scalar_one(),
            failing_channels=connection.execute(_failing).scalar_one(),
            loops=[LoopHealth.model_validate(row, from_attributes=True) for row in connection.execute(_loops)],
            warnings=services.warnings,
        )

    return await services.store.scan(read)
