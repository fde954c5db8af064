"""Somebody else's web server with a picture."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


def png(side: int) -> bytes:
    """A plain picture of so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\x00" + bytes((200, 120, 40)) * side for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@dataclass
class Pictures:
    """What the server was asked, and whether it still answers with the picture."""

    asked: list[str] = field(default_factory=list[str])
    fail: bool = False


@asynccontextmanager
async def picture_server() -> AsyncGenerator[tuple[str, Pictures]]:
    """A server on loopback; yields its address."""
    pictures = Pictures()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode()
        pictures.asked.append(line.split()[1])
        while (await reader.readline()).strip():
            pass
        body = b"gone" if pictures.fail else png(32)
        status = "404 Not Found" if pictures.fail else "200 OK"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", pictures
