"""A stream whose reader is slow holds no more than so much: it is ended, and whoever resumes it misses nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import anyio
import pytest

from hitl_mcp.contract import routes
from hitl_mcp.sdk.local import ask
from hitl_mcp.service import feed
from tests.service.stage import Place, Stage, stage

pytestmark = pytest.mark.anyio

LONG = {"much": "y" * 900_000}


async def lines_of(stream: anyio.abc.SocketStream) -> AsyncIterator[str]:
    """Its lines, until it ends."""
    rest = b""
    while True:
        try:
            rest += await stream.receive()
        except anyio.EndOfStream:
            return
        *whole, rest = rest.split(b"\n")
        for line in whole:
            yield line.decode()


async def close_one(on: Stage, context: dict[str, str] | None = None) -> str:
    """A request that was asked and withdrawn."""
    body = {"processing_type": "deferred", "type": "markdown", "kind": "approval", "request_text": "x?"}
    asked = await on.wire.send("POST", routes.LOOP_REQUESTS.format(loop_id=on.loop_id), body | {"context": context})
    request_id = str(asked.data["request_id"])
    await on.wire.send("DELETE", routes.REQUEST.format(request_id=request_id))
    return request_id


async def test_a_stream_that_nobody_reads_is_ended_and_resumed_without_a_gap(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_UNREAD", 10)
    async with stage(place) as on:
        key = on.found.endpoint().key
        port = int(on.found.address.rpartition(":")[2])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            first = f"GET {routes.EVENTS_STREAM} HTTP/1.1"
            head = f"{first}\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n\r\n"
            await stream.send(head.encode())
            begun = await stream.receive()
            assert b"event: ready" in begun
            position = int(begun.rpartition(b"id: ")[2].split(b"\n")[0])
            start = position
            closed = [await close_one(on, LONG) for _ in range(16)] + [await close_one(on) for _ in range(20)]
            seen: list[str] = []
            with anyio.fail_after(60):
                async for line in lines_of(stream):
                    if line.startswith("id: "):
                        position = int(line.removeprefix("id: "))
                    elif line.startswith("data: "):
                        change = json.loads(line.removeprefix("data: "))
                        seen += [change["request_id"]] if change["type"] == "cancelled" else []
                    elif line == "0\r":
                        break
        assert start < position and len(seen) < len(closed), "it was ended before it had told of everything"
        with anyio.fail_after(60):
            while changes := (await ask(on.found.endpoint(), "GET", f"{routes.EVENTS}?after={position}"))["changes"]:
                seen += [change["request_id"] for change in changes if change["type"] == "cancelled"]
                position = changes[-1]["position"]
        assert set(seen) == set(closed)
