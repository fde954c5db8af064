"""The service as whoever has the machine's terminal reaches it: for keys, sign-ins, backups and the doctor."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from hitl_mcp.launcher import LocalService
from hitl_mcp.sdk.choosing import need_local
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.settings import Settings


@asynccontextmanager
async def console(settings: Settings) -> AsyncGenerator[Endpoint]:
    """The console of the service that the settings mean.

    In a data folder that is the running service, started when there is none. On PostgreSQL it is a service of this
    process for as long as the command runs: whoever has the database's address and password has its console.

    Raises: NotConfigured, ServiceNotStarted.
    """
    if settings.database_url is None:
        need_local(settings, "This command")
        async with LocalService(settings).during_a_command() as found:
            yield found.console()
        return
    from hitl_mcp.service.run import CONSOLE, running

    async with running(settings, hosted_by=CONSOLE) as services:
        keys = services.keys
        address = f"http://127.0.0.1:{keys.internal_port}"
        yield Endpoint(address, keys.console, keys.public_address, keys.internal_port, keys.proof_secret)
