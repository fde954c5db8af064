"""Our local service over a fresh data folder, found or started the way every client does it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import psutil

from benchmarks import parts
from hitl_mcp.contract import routes
from hitl_mcp.launcher import LocalService, end
from hitl_mcp.sdk.local import Found, ask, find
from hitl_mcp.settings import Settings


@dataclass(frozen=True, slots=True)
class OurService:
    """A running service of ours."""

    settings: Settings
    found: Found

    @property
    def pid(self) -> int:
        """The service's process."""
        return self.found.state.pid

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.found.state.port

    def agent_headers(self) -> dict[str, str]:
        """Credential of an agent, with a challenge for the service's proof, as every call of a real client has one."""
        return {"Authorization": f"Bearer {self.found.endpoint().key}", routes.NONCE: "00" * 16}

    async def reviewer_headers(self) -> dict[str, str]:
        """Sign a person in; the credential of the session."""
        code = (await ask(self.found.console(), "POST", routes.SIGN_INS, {}))["code"]
        session = await ask(self.found.console(), "POST", routes.SESSIONS, {"code": code})
        return {"Authorization": f"Bearer {session['token']}", routes.NONCE: "00" * 16}

    async def loop_id(self) -> str:
        """The loop that every folder has."""
        loops: list[dict[str, Any]] = (await ask(self.found.endpoint(), "GET", routes.LOOPS))["loops"]
        return str(loops[0]["id"])

    async def open_requests(self) -> int:
        """How many questions wait for a person."""
        return int((await ask(self.found.console(), "GET", routes.STATUS))["open_requests"])


@asynccontextmanager
async def our_service() -> AsyncGenerator[OurService]:
    """Start a service; end it, by request and if need be by its id."""
    with parts.temporary_folder() as folder:
        settings = Settings(data_dir=folder / "data", open_browser=False, notify=False)
        found = await LocalService(settings).found_or_started()
        try:
            yield OurService(settings, found)
        finally:
            with anyio.CancelScope(shield=True):
                await _ended(found)


async def end_service(folder: Path) -> None:
    """End the service of a data folder, if there is one."""
    found = await find(folder)
    if found is not None:
        await _ended(found)


async def _ended(found: Found) -> None:
    with suppress(psutil.NoSuchProcess):
        service = psutil.Process(found.state.pid)
        with anyio.move_on_after(parts.END_SECONDS):
            await end(found)
        try:
            await anyio.to_thread.run_sync(lambda: service.wait(parts.END_SECONDS))
        except psutil.TimeoutExpired:
            service.kill()
