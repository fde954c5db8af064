"""For the operator at the machine's terminal: facts for the doctor, and a copy of the database."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Response

from hitl_mcp.contract import routes
from hitl_mcp.contract.operating import NewBackup
from hitl_mcp.errors import BadRequest
from hitl_mcp.service.checks import checks
from hitl_mcp.service.web.auth import ConsoleCaller, ServicesHere
from hitl_mcp.service.web.envelope import reply

router = APIRouter(tags=["operating"])


@router.get(routes.CHECKS)
async def get_checks(console: ConsoleCaller, services: ServicesHere) -> Response:
    """What `hitl-mcp doctor` judges."""
    return reply("Facts about the service", await checks(services))


@router.post(routes.BACKUP, status_code=201)
async def create_backup(wanted: NewBackup, console: ConsoleCaller, services: ServicesHere) -> Response:
    """Copy the database while it is in use, then check the copy. Only a service on SQLite can (H17)."""
    if services.back_up is None:
        raise BadRequest("A PostgreSQL database is copied with its own tools, such as pg_dump")
    target = Path(wanted.path)
    if not target.is_absolute():
        raise BadRequest("Validation failed", "path must be absolute")
    size = await services.back_up(target)
    return reply("Backup written and checked", {"path": str(target), "bytes": size}, status=201)
