"""What people's messages arrive at in the tests: a chat's web hook, a mail server, a browser's push service."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller

from tests.served.team import free_port
from tests.world import eventually


@dataclass
class Post:
    """One call that came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        """Its body as JSON."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """A web server that keeps what it is sent.

    Attributes:
        status: what it answers.
    """

    port: int
    status: int = 200
    posts: list[Post] = field(default_factory=list[Post])

    @property
    def channel(self) -> str:
        """Its address as a channel, with something secret in it."""
        return f"json://127.0.0.1:{self.port}/s3cret-token"

    async def next(self, count: int) -> list[Post]:
        """What came, once there are so many."""

        async def enough() -> bool:
            return len(self.posts) >= count

        await eventually(enough)
        return self.posts


@contextmanager
def receiving() -> Generator[Receiver]:
    """A receiver on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            there.posts.append(Post(self.path, headers, self.rfile.read(length)))
            self.send_response(there.status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there = Receiver(server.server_address[1])
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Mailbox:
    """A mail server that keeps what it takes."""

    port: int
    messages: list[EmailMessage] = field(default_factory=list[EmailMessage])


@asynccontextmanager
async def mail_server() -> AsyncGenerator[Mailbox]:
    """A real SMTP server on loopback."""

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
            there.messages.append(message_from_bytes(envelope.content, policy=policy.default))
            return "250 OK"

    there = Mailbox(free_port())
    controller = Controller(Handler(), hostname="127.0.0.1", port=there.port)
    controller.start()
    try:
        yield there
    finally:
        controller.stop()
