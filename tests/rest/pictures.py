"""Reads what a QR code says out of the PNG that the service drew, and serves pictures that agents name."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import zxingcpp

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG = SIGNATURE + b"\0" * 40


def grey_pixels(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and one byte per pixel of a PNG with one bit per pixel; only the filters None and Up are known."""
    assert png.startswith(SIGNATURE)
    at, packed, head = 8, b"", b""
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        head = content if kind == b"IHDR" else head
        packed += content if kind == b"IDAT" else b""
        at += size + 12
    width, height, depth, colour = struct.unpack_from(">IIBB", head)
    assert (depth, colour) == (1, 0), "one bit per pixel, grey"
    rows, line = zlib.decompress(packed), (width + 7) // 8 + 1
    pixels, above = bytearray(), bytes(line - 1)
    for y in range(height):
        how, row = rows[y * line], rows[y * line + 1 : (y + 1) * line]
        assert how in (0, 2)
        above = bytes((byte + up) % 256 for byte, up in zip(row, above, strict=True)) if how == 2 else row
        pixels += bytes(255 * (above[x // 8] >> (7 - x % 8) & 1) for x in range(width))
    return width, height, bytes(pixels)


def qr_text(png: bytes) -> str:
    """What a phone's camera reads."""
    width, height, pixels = grey_pixels(png)
    found = cast("Any", zxingcpp).read_barcodes(memoryview(pixels).cast("B", (height, width)))
    assert len(found) == 1
    return str(found[0].text)


class _Pictures(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer with the picture, or with something that is none."""
        body = PNG if self.path.endswith(".png") else b"<html>no picture</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def picture_server() -> Generator[str]:
    """Somebody's web server; its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Pictures) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
