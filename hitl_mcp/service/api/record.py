"""The event log for whoever has the machine's terminal: its export, its anchors, and what retention takes from it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from hitl_mcp.contract import routes
from hitl_mcp.contract.operating import RetentionRun
from hitl_mcp.errors import BadRequest, ServiceFault
from hitl_mcp.service.operating import export
from hitl_mcp.service.web.auth import ConsoleCaller, ServicesHere
from hitl_mcp.service.web.envelope import reply

router = APIRouter(tags=["operating"])

PAGE = 500


@router.get(routes.LOG)
async def read_log(
    console: ConsoleCaller,
    services: ServicesHere,
    after: Annotated[int | None, Query(ge=0, le=2**53, description="Entries after this position")] = None,
    since: Annotated[int | None, Query(ge=0, le=2**53, description="Or from this moment, in ms since 1970")] = None,
) -> Response:
    """A page of the whole event log; it ends where `entries` is empty."""
    if after is None:
        after = 0 if since is None else await services.store.scan(lambda tx: export.position_before(tx, since))
    await services.feed.look()  # up to its cursor nothing can appear any more
    start, up_to = after, services.feed.cursor
    entries = await services.store.scan(lambda tx: export.page(tx, start, up_to, PAGE))
    return reply("Entries of the log", {"after": start, "entries": entries})


@router.post(routes.ANCHORS, status_code=201)
async def create_anchor(console: ConsoleCaller, services: ServicesHere) -> Response:
    """Take an anchor of the log now, and keep it outside the database where that is set up."""
    try:
        written = await services.daily.anchor()
    except OSError as error:
        raise ServiceFault(f"The anchors could not be written outside the database: {error}") from error
    kept = services.daily.anchor_file
    said = {"written": written, "outside": kept is not None, "file": None if kept is None else str(kept)}
    return reply("Anchor taken", said, status=201)


@router.post(routes.RETENTION)
async def run_retention(wanted: RetentionRun, console: ConsoleCaller, services: ServicesHere) -> Response:
    """Empty the closed requests whose time is over, as is done daily; or only count them."""
    retention = services.daily.retention
    if retention is None:
        raise BadRequest(
            "HITL_RETENTION_DAYS is not set where the service runs, so everything is kept. Set it there and start the "
            "service again"
        )
    try:
        done = await (retention.due() if wanted.dry_run else retention.run())
    except OSError as error:
        raise ServiceFault(f"The archive could not be written, so nothing more was removed: {error}") from error
    return reply(
        "Counted" if wanted.dry_run else "Done", {"requests": done, "days": retention.days, "how": retention.how}
    )
