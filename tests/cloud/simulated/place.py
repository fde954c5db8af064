"""A simulated cloud with a key and a loop, and plain HTTP to it: for the tests of the cloud itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.cloud.simulated.cloud import Cloud

HOUR = 3600
START = 1_800_000_000 + 600
"""Ten minutes past a full hour."""
CREATE: dict[str, Any] = {
    "processing_type": "time-sensitive", "type": "markdown", "priority": "high", "request_text": "Publish it?",
    "response_type": "single_select", "response_config": {"options": ["Approve", "Needs Changes", "Reject"]},
    "default_response": "Reject", "timeout_seconds": HOUR, "platform": "api",
}  # fmt: skip

REQUEST_FIELDS = {
    "id", "loop_id", "creator_id", "api_key_id", "processing_type", "type", "priority", "request_text", "image_url",
    "context", "platform", "platform_version", "response_type", "response_config", "default_response", "timeout_at",
    "callback_url", "broadcasted_to", "broadcasted_at", "status", "response_by", "response_at", "response_data",
    "response_time_seconds", "created_at", "updated_at",
}  # fmt: skip
"""Of a request that is read (2.5)."""


@dataclass
class Place:
    """A cloud with one key and one loop of two people, in the test's own event loop."""

    now: float = START
    cloud: Cloud = field(init=False)
    key: str = field(init=False)
    loop: str = field(init=False)
    http: httpx2.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.cloud = Cloud(lambda: self.now)
        self.key = self.cloud.new_key()
        self.loop = self.cloud.new_loop()
        self.cloud.join(self.loop, "grace@example.com", "Grace")
        transport = httpx2.ASGITransport(app=self.cloud.app)
        self.http = httpx2.AsyncClient(transport=transport, base_url="https://api.hitl.sh")

    async def send(self, method: str, path: str, body: Any = None, key: str | None = None) -> httpx2.Response:
        """One call with a key."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return await self.http.request(method, f"/v1{path}", json=body, headers=headers)

    async def data(self, method: str, path: str, body: Any = None) -> Any:
        """The data of a call that succeeds."""
        reply = await self.send(method, path, body)
        assert reply.status_code in (200, 201), reply.text
        assert reply.json()["error"] is False
        return reply.json()["data"]

    async def create(self, **fields: Any) -> str:
        """A new request of the key; its id."""
        made = await self.data("POST", f"/api/loops/{self.loop}/requests", CREATE | fields)
        return made["request_id"]

    async def read(self, request_id: str) -> Any:
        """A request as it is read by default."""
        return (await self.data("GET", f"/api/requests/{request_id}"))["request"]

    async def page(self, query: str = "") -> Any:
        """A page of the list."""
        return await self.data("GET", f"/api/requests{query}")

    async def answered(self, value: Any, **fields: Any) -> Any:
        """What `response_data` says after a person's answer to a new request."""
        request_id = await self.create(**fields)
        self.cloud.answer(request_id, value)
        return (await self.read(request_id))["response_data"]


@asynccontextmanager
async def place() -> AsyncGenerator[Place]:
    """A fresh one, for as long as the block runs."""
    made = Place()
    async with made.http:
        yield made
