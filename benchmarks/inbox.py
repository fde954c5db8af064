"""A person at the inbox of a service, for measuring: signed in over plain HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from benchmarks.service import OurService
from benchmarks.wire import Connection, call_bytes
from hitl_mcp.contract import routes
from hitl_mcp.sdk.local import ask

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "iris", "juniper")


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed-in person.

    Attributes:
        origin: of the inbox, with its own host name.
        cookie: the session's, as a header's value.
    """

    origin: str
    cookie: str = field(repr=False)

    @property
    def session(self) -> str:
        """The cookie's value."""
        return self.cookie.partition("=")[2]

    def get(self, path: str, accept: str = "text/html") -> bytes:
        """A call for one page, as it goes over the wire."""
        host = self.origin.partition("://")[2]
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", f"Cookie: {self.cookie}", f"Accept: {accept}"]
        return "\r\n".join([*lines, "", ""]).encode()


async def signed_in(service: OurService) -> Signed:
    """Sign the machine's user in."""
    made: dict[str, Any] = await ask(service.found.console(), "POST", routes.SIGN_INS, {})
    origin = str(made["address"]).removesuffix("/sign-in")
    body = f"code={made['code']}".encode()
    lines = ["POST /sign-in HTTP/1.1", f"Host: {origin.partition('://')[2]}", f"Origin: {origin}",
             "Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]  # fmt: skip
    connection = await Connection.opened(service.port)
    reply = await connection.call("\r\n".join([*lines, "", ""]).encode() + body)
    connection.close()
    return Signed(origin, reply.headers["set-cookie"].partition(";")[0])


def question(service: OurService, loop_id: str, number: int) -> bytes:
    """A call that asks; each question has words of its own, so that none is like another."""
    words = " ".join(WORDS[int(digit)] for digit in f"{number:04}")
    body = {
        "processing_type": "deferred", "type": "markdown", "kind": "approval", "priority": "medium",
        "request_text": f"Deploy {words} to production?", "context": {"service": words, "risk": "low"},
    }  # fmt: skip
    path = routes.LOOP_REQUESTS.format(loop_id=loop_id)
    return call_bytes("POST", path, service.port, body, service.agent_headers())
