"""The simulated cloud with our client's backend over it, in one event loop and in simulated time: nothing sleeps."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import trio
import trio.testing

from hitl_mcp.contract.models import Created, NewRequest, ReviewRequest
from hitl_mcp.contract.outcome import Outcome, outcome_of
from hitl_mcp.sdk.cloud.backend import Cloud as CloudBackend
from hitl_mcp.sdk.connection import Connection
from hitl_mcp.sdk.endpoint import Endpoint, Fixed
from tests.cloud.simulated import Cloud, Manners

START = 1_772_409_600.0
"""2026-03-02, a full hour."""
HOUR = 3600.0
URL = "https://api.hitl.sh"


def simulated_time() -> tuple[str, dict[str, Any]]:
    """The event loop for a test: its clock jumps to the next thing that happens."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


def now() -> float:
    """Simulated seconds since 1970."""
    return START + trio.current_time()


@dataclass
class Stage:
    """One cloud with one key and one loop.

    Attributes:
        folder: the data folder that all backends of this test share.
    """

    cloud: Cloud
    key: str
    loop: str
    folder: Path

    @asynccontextmanager
    async def backend(self, *, runs: bool = True) -> AsyncGenerator[CloudBackend]:
        """Another process of the same machine, with the same key."""
        connection = Connection(
            Fixed(Endpoint(URL, self.key, "https://my.hitl.sh", name="cloud")),
            transport=httpx2.ASGITransport(self.cloud.app),
        )
        backend = CloudBackend(connection, self.folder, now)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(backend.aclose)
            tasks = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(tasks.cancel_scope.cancel)
            if runs:
                tasks.start_soon(backend.run)
            yield backend

    def looks(self) -> list[float]:
        """When the cloud was asked about requests."""
        return [call.time for call in self.cloud.calls if call.method == "GET" and "/requests" in call.path]

    async def approval(self, backend: CloudBackend, text: str = "Delete it?", **fields: Any) -> Created:
        """Ask for an approval."""
        return await backend.create(self.loop, approval(text, **fields), None, {})


def stage(folder: Path, manners: Manners | None = None, limit: int = 100) -> Stage:
    """A fresh cloud."""
    cloud = Cloud(now, manners, limit=limit)
    return Stage(cloud, cloud.new_key(), cloud.new_loop(), folder)


def approval(text: str = "Delete it?", **fields: Any) -> NewRequest:
    """A request for approval."""
    return NewRequest.model_validate({"kind": "approval", "request_text": text, **fields})


def question(**fields: Any) -> NewRequest:
    """A question with two options."""
    given = {
        "request_text": "Which one?", "response_config": {"options": ["Deploy now", "Wait"]},
        "default_response": "Wait",
    }  # fmt: skip
    return NewRequest.model_validate({**given, **fields})


async def decided(backend: CloudBackend, request: ReviewRequest, seconds: float = 4 * HOUR) -> ReviewRequest:
    """The request once it is closed, or as it stands after a while."""
    with backend.watching(request) as watch, anyio.move_on_after(seconds):
        while watch.request.status.is_open:
            await watch.changed(seconds)
    return watch.request


async def outcome(backend: CloudBackend, request: ReviewRequest, seconds: float = 4 * HOUR) -> Outcome:
    """What an agent is told in the end."""
    return outcome_of(await decided(backend, request, seconds))


def worst_hour(times: list[float]) -> int:
    """The most calls in any sliding hour."""
    return max((sum(1 for other in times if at <= other < at + HOUR) for at in times), default=0)
