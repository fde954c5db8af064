"""Calls byte by byte, for what nobody should send."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest

from tests.service.stage import Stage, stage
from tests.world import WAIT

NOTHING = "0" * 24
"""The id of nothing."""


@asynccontextmanager
async def unharmed(folder: Path) -> AsyncGenerator[Stage]:
    """A service for many tests, without any setting of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("HITL_")]:
            patch.delenv(name)
        async with stage(folder) as known:
            yield known


@dataclass(frozen=True)
class Came:
    """What came back.

    Attributes:
        status: 0 when the connection was closed without an answer.
    """

    status: int
    head: str
    body: bytes

    @property
    def data(self) -> Any:
        """The envelope's data."""
        return json.loads(self.body).get("data")

    def refused(self, *statuses: int) -> None:
        """It is one of these refusals, in the envelope."""
        assert self.status in statuses, self
        said = json.loads(self.body)
        assert said["error"] is True, self
        assert isinstance(said["msg"], str) and said["msg"], self


async def raw(here: Stage, content: bytes) -> Came:
    """Bytes on a connection of their own."""
    address = urlsplit(here.found.address)
    assert address.hostname and address.port
    received = b""
    with anyio.fail_after(WAIT):
        async with await anyio.connect_tcp(address.hostname, address.port) as stream:
            try:
                await stream.send(content)
                while True:
                    received += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass
    head, _, body = received.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        body = b"".join(body.split(b"\r\n")[1::2])
    status = int(head.split(b" ")[1]) if head else 0
    return Came(status, head.decode("latin-1"), body)


def head_of(here: Stage, method: str, path: str, *lines: str, key: str | None = None) -> bytes:
    """The first lines of a call with the agent's key."""
    host = urlsplit(here.found.address).netloc
    known = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    known.append(f"Authorization: Bearer {key or here.found.endpoint().key}")
    return "\r\n".join([*known, *lines, "", ""]).encode("latin-1")


async def send(
    here: Stage,
    method: str,
    path: str,
    body: bytes | str | None = None,
    *lines: str,
    kind: str | None = "application/json",
) -> Came:
    """One call."""
    content = body.encode() if isinstance(body, str) else body
    more = list(lines)
    if content is not None:
        more += [f"Content-Length: {len(content)}", *([f"Content-Type: {kind}"] if kind else [])]
    return await raw(here, head_of(here, method, path, *more) + (content or b""))
