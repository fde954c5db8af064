"""A little HTTP server that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

Manner = Literal["answer", "drop", "hang"]


@dataclass(frozen=True)
class Answer:
    """What one call gets.

    Attributes:
        manner: `drop`: the connection is closed after the whole call was read; `hang`: nothing ever comes.
    """

    status: int = 200
    data: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    manner: Manner = "answer"

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        body = json.dumps({"error": self.status >= 400, "msg": "said by the test", "data": self.data}).encode()
        lines = [f"HTTP/1.1 {self.status} X", f"Content-Length: {len(body)}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body


DROP, HANG = Answer(manner="drop"), Answer(manner="hang")


@dataclass(frozen=True)
class Call:
    """What came in."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass
class Little:
    """The server.

    Attributes:
        answers: for the coming calls, in order; after them every call gets `usual`.
        connections: how many were opened.
    """

    url: str
    usual: Answer
    answers: list[Answer] = field(default_factory=list[Answer])
    calls: list[Call] = field(default_factory=list[Call])
    connections: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = {
                    name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
                }
                await reader.readexactly(int(headers.get("content-length", 0)))
                self.calls.append(Call(method, target, headers))
                answer = self.answers.pop(0) if self.answers else self.usual
                if answer.manner == "hang":
                    await self.ended.wait()
                if answer.manner != "answer":
                    return
                writer.write(answer.encoded())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def little(usual: Answer, *answers: Answer) -> AsyncGenerator[Little]:
    """One on a loopback port, for as long as the block runs."""
    made = Little("", usual, list(answers))
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        made.ended.set()
        server.close()
