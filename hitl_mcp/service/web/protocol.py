"""HTTP/1.1 as uvicorn speaks it, with a bound on what comes before a body.

The parser itself has none: one connection could send a hundred megabytes of headers, at a cost that grows faster than
they do, before any of our code is asked.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 65_536
_TOO_LARGE = b'{"error": true, "msg": "The request\'s headers are larger than 65536 bytes"}'


class BoundedProtocol(HttpToolsProtocol):
    """Refuses a request whose line and headers are larger than 64 KiB, with 431, and closes."""

    _head = 0
    _in_head = True

    def data_received(self, data: bytes) -> None:
        """asyncio. What comes in one piece with the end of the headers is not counted."""
        if self._in_head:
            if self._head + len(data) > MAX_HEAD_BYTES and b"\r\n\r\n" not in data[: MAX_HEAD_BYTES - self._head]:
                self._refuse()
                return
            self._head += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """httptools: a request begins; what came before belongs to the former one."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """httptools: the body begins."""
        self._in_head, self._head = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """httptools: the next thing that comes is a request line."""
        self._in_head, self._head = True, 0
        super().on_message_complete()

    def _refuse(self) -> None:
        if self.transport.is_closing():
            return
        head = (
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(_TOO_LARGE)
        )
        self.transport.write(head + _TOO_LARGE)
        self.transport.close()
