"""The four backends of the client's contract: local, served over SQLite and PostgreSQL, and a simulated cloud."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, cast, get_args

import anyio.to_thread

from hitl_mcp import AsyncHITLClient, HITLClient
from tests.cloud.simulated import Cloud, served
from tests.rest.backend import ALL, Backend, opened
from tests.rest.backend import Kind as OwnKind

Kind = Literal[OwnKind, "cloud"]
KINDS: tuple[Kind, ...] = (*get_args(OwnKind), "cloud")
Style = Literal["async", "sync"]


class Place(Protocol):
    """One backend, as a test needs it beside the client."""

    kind: Kind

    def environment(self, folder: Path) -> dict[str, str]:
        """What a program sets to reach it, with a fresh key that has every scope where there are keys.

        Args:
            folder: of the test, for what the client keeps itself.
        """
        ...

    def answer(self, request_id: str, value: Any, *, revision: int = 1) -> None:
        """A person decides."""
        ...

    def move(self, seconds: float) -> None:
        """Time goes by at the backend."""
        ...


@dataclass
class Own:
    """Our own service."""

    service: Backend
    folder: Path
    kind: Kind = field(init=False)

    def __post_init__(self) -> None:
        self.kind = self.service.kind

    def environment(self, folder: Path) -> dict[str, str]:
        """See `Place`."""
        if self.kind == "local":
            return {"HITL_DATA_DIR": str(self.folder)}
        key = self.service.new_key(*ALL).key or ""
        return {"HITL_API_KEY": key, "HITL_BASE_URL": str(self.service.http.base_url), "HITL_DATA_DIR": str(folder)}

    def answer(self, request_id: str, value: Any, *, revision: int = 1) -> None:
        """See `Place`."""
        reply = self.service.answer(request_id, value, revision=revision)
        assert reply.status == 200, reply.body

    def move(self, seconds: float) -> None:
        """See `Place`."""
        self.service.clock.move(seconds)


@dataclass
class Simulated:
    """The simulated cloud on a loopback port."""

    url: str
    cloud: Cloud
    ahead: list[float]
    kind: Kind = "cloud"

    def environment(self, folder: Path) -> dict[str, str]:
        """See `Place`."""
        key = self.cloud.new_key()
        return {
            "HITL_API_KEY": key, "HITL_BASE_URL": self.url, "HITL_BACKEND": "cloud", "HITL_DATA_DIR": str(folder)
        }  # fmt: skip

    def answer(self, request_id: str, value: Any, *, revision: int = 1) -> None:
        """See `Place`. The cloud has no revisions."""
        if isinstance(value, dict):
            value = cast("dict[str, Any]", value)["revised_text"]
        self.cloud.answer(request_id, value)

    def move(self, seconds: float) -> None:
        """See `Place`."""
        self.ahead.append(seconds)


@contextmanager
def place_of(kind: Kind, folder: Path) -> Generator[Place]:
    """A running backend of this kind."""
    if kind == "cloud":
        ahead: list[float] = []
        cloud = Cloud(lambda: time.time() + sum(ahead))
        with served(cloud) as url:
            yield Simulated(url, cloud, ahead)
    else:
        with opened(kind, folder, allowed_hosts="127.0.0.1") as service:
            yield Own(service, folder)


class InThread:
    """HITLClient with the methods of AsyncHITLClient, so that one body tests both."""

    def __init__(self, client: HITLClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            work = partial(method, *args, **kwargs)
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=False)

        return call


def in_style(client: HITLClient) -> AsyncHITLClient:
    """The sync client, called as the async one is."""
    return cast(AsyncHITLClient, InThread(client))
