"""For the operator at the machine's terminal: facts for the doctor, and a copy of the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from hitl_mcp.contract import routes
from hitl_mcp.contract.operating import NewBackup
from hitl_mcp.contract.text import STORABLE
from hitl_mcp.errors import BadRequest, NotConfigured
from hitl_mcp.service.checks import checks
from hitl_mcp.service.operating.production import note_backup, production
from hitl_mcp.service.outgoing.addresses import AllowList
from hitl_mcp.service.web.auth import ConsoleCaller, ServicesHere
from hitl_mcp.service.web.envelope import reply
from hitl_mcp.service.webhooks import allowed

router = APIRouter(tags=["operating"])


@router.get(routes.CHECKS)
async def get_checks(console: ConsoleCaller, services: ServicesHere) -> Response:
    """What `hitl-mcp doctor` judges."""
    return reply("Facts about the service", await checks(services))


@router.get(routes.PRODUCTION)
async def get_production(console: ConsoleCaller, services: ServicesHere) -> Response:
    """What `hitl-mcp doctor --production` judges."""
    facts = await services.store.scan(lambda tx: production(tx, services.daily))
    return reply("Facts about the service's readiness", facts)


@router.post(routes.BACKUP, status_code=201)
async def create_backup(wanted: NewBackup, console: ConsoleCaller, services: ServicesHere) -> Response:
    """Copy the database while it is in use, then check the copy. Only a service on SQLite can (H17)."""
    if services.back_up is None:
        raise BadRequest("A PostgreSQL database is copied with its own tools, such as pg_dump")
    target = Path(wanted.path)
    if not target.is_absolute():
        raise BadRequest("Validation failed", "path must be absolute")
    size = await services.back_up(target)
    await services.store.write(note_backup)
    return reply("Backup written and checked", {"path": str(target), "bytes": size}, status=201)


class AllowedAddress(BaseModel):
    """A host name, address or network with an optional port; `keep` false takes it out."""

    model_config = ConfigDict(extra="forbid")

    address: Annotated[str, Field(min_length=1, max_length=300), STORABLE]
    keep: StrictBool = True


@router.get(routes.OUTGOING)
async def list_allowed(console: ConsoleCaller, services: ServicesHere) -> Response:
    """What this machine's user lets the service call although it is private, or without TLS."""
    return reply("Allowed addresses", {"allowed": await services.store.read(allowed.kept)})


@router.post(routes.OUTGOING)
async def allow_outgoing(wanted: AllowedAddress, console: ConsoleCaller, services: ServicesHere) -> Response:
    """Let the service of one's own machine call a private address; on a server that is a setting (H39)."""
    if services.allow_outgoing is None:
        raise BadRequest("On a server this is the setting HITL_OUTGOING_ALLOW", "set it and start the server again")
    try:
        AllowList([wanted.address])
    except NotConfigured as error:
        raise BadRequest("Validation failed", str(error)) from None
    entry = wanted.address.strip().lower()
    entries = await services.store.write(lambda tx: allowed.change(tx, entry, keep=wanted.keep))
    services.allow_outgoing(entries)
    return reply("Allowed addresses", {"allowed": entries})
