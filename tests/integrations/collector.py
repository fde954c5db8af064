"""A receiver that answers 200 and keeps what came."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, TypeVar

from tests.world import WAIT

T = TypeVar("T")


@dataclass(frozen=True)
class Came:
    """One call."""

    path: str
    headers: dict[str, str]
    body: str


@dataclass
class Collector:
    """Where it listens, and what came and was not taken yet."""

    url: str
    came: list[Came] = field(default_factory=list[Came])

    def take(self, path: str | None = None) -> Came | None:
        """What came first, or first to a path."""
        for one in self.came:
            if path in (None, one.path):
                self.came.remove(one)
                return one
        return None


@contextmanager
def collecting() -> Generator[Collector]:
    """A receiver on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            collector.came.append(Came(self.path, dict(self.headers.items()), body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        running = Thread(target=server.serve_forever, args=(0.05,))
        running.start()
        try:
            yield collector
        finally:
            server.shutdown()
            running.join(WAIT)


def once(there: Callable[[], T | None], seconds: float = WAIT * 2) -> T:
    """What appears within some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := there():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not appear in time")
