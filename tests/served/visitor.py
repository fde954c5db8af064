"""Somebody at the pages of a team's server, by plain HTTP; and a mail server that keeps what it is sent."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import anyio
import httpx2
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from hitl_mcp.contract import routes
from hitl_mcp.sdk.local import ask
from tests.served.team import Team, free_port
from tests.world import WAIT

PASSWORD = "three blue whales"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class Visitor:
    """A browser's session, without the browser."""

    on: Team
    http: httpx2.AsyncClient

    async def get(self, path: str) -> httpx2.Response:
        """Look at a page."""
        return await self.http.get(path)

    async def text(self, path: str) -> str:
        """What a page says, which must be there."""
        shown = await self.get(path)
        assert shown.status_code == 200, (path, shown.status_code, shown.text)
        return shown.text

    async def post(self, path: str, *, expect: int | None = 303, **form: Any) -> httpx2.Response:
        """Send a form with this session's token."""
        sent = {"token": await self.token()} | form
        answer = await self.http.post(path, data=sent)
        assert expect is None or answer.status_code == expect, (path, answer.status_code, answer.text)
        return answer

    async def token(self) -> str:
        """What the forms of this session carry; empty for a stranger."""
        found = re.search(r'name="token" value="([0-9a-f]+)"', (await self.get("/account")).text)
        return found[1] if found else ""

    async def enter(self, email: str | None = None) -> Visitor:
        """Sign in with a code of the server's terminal."""
        done = await self.http.post("/sign-in", data={"code": await self.on.code(email)})
        assert done.status_code == 200, done.text
        return self

    async def password(self, email: str, password: str) -> httpx2.Response:
        """Try an address and a password."""
        return await self.http.post("/sign-in/password", data={"email": email, "password": password})

    @property
    def session(self) -> str | None:
        """The session's cookie."""
        return self.http.cookies.get("hitl_session")


@asynccontextmanager
async def visitor(on: Team, **headers: str) -> AsyncGenerator[Visitor]:
    """A fresh browser profile. Names below localhost it cannot look up, so it says the host itself."""
    said = {"Origin": on.origin, "Host": on.origin.removeprefix("http://"), "User-Agent": FIREFOX} | headers
    address = f"http://127.0.0.1:{on.services.keys.port}"
    async with httpx2.AsyncClient(base_url=address, headers=said, timeout=WAIT) as http:
        yield Visitor(on, http)


async def added(on: Team, name: str, **more: Any) -> str:
    """A person whom the server's operator adds, as `name@example.com`; their id."""
    body = {"name": name.capitalize(), "email": f"{name}@example.com"} | more
    return str((await on.console("POST", routes.PEOPLE, body))["user_id"])


@dataclass
class Place:
    """A loop with an owner, a reviewer and a viewer, and a key that asks in it."""

    on: Team
    loop_id: str
    key: str
    ids: dict[str, str]

    async def asked(self, text: str = "Refund 40 EUR?", **more: Any) -> str:
        """An open request; its id."""
        path = routes.LOOP_REQUESTS.format(loop_id=self.loop_id)
        body = {"kind": "approval", "request_text": text} | more
        return str((await ask(self.on.endpoint(self.key), "POST", path, body))["request_id"])

    async def request(self, request_id: str) -> dict[str, Any]:
        """A request as its key sees it."""
        path = routes.REQUEST.format(request_id=request_id)
        return dict((await ask(self.on.endpoint(self.key), "GET", path))["request"])

    async def members(self) -> dict[str, dict[str, Any]]:
        """The people of the loop by address."""
        path = routes.MEMBERS.format(loop_id=self.loop_id)
        found = (await ask(self.on.endpoint(self.key), "GET", path))["members"]
        return {one["email"].partition("@")[0]: one for one in found if one["email"]}


async def place(on: Team, prefix: str = "") -> Place:
    """A loop with `PREFIXowner`, `PREFIXreviewer` and `PREFIXviewer`."""
    ids = {"owner": await added(on, f"{prefix}owner")}
    key = await on.key(email=f"{prefix}owner@example.com")
    made = await ask(on.endpoint(key), "POST", routes.LOOPS, {"name": f"{prefix}Payments", "icon": "lock"})
    for role in ("reviewer", "viewer"):
        ids[role] = await added(on, f"{prefix}{role}", loop_id=made["loop"]["id"], role=role)
    return Place(on, made["loop"]["id"], key, ids)


@dataclass
class Post:
    """A mail server's box."""

    url: str
    letters: list[EmailMessage] = field(default_factory=list[EmailMessage])

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a letter."""
        letter = message_from_bytes(envelope.content or b"", policy=policy.default)  # pyright: ignore[reportArgumentType]
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 OK"

    async def letter(self, number: int) -> EmailMessage:
        """The letter with this number, counted from one, once it has come."""
        with anyio.fail_after(WAIT):
            while len(self.letters) < number:
                await anyio.sleep(0.02)
        return self.letters[number - 1]

    async def link(self, number: int) -> str:
        """The path of the page that a letter leads to."""
        found = re.search(r"https?://[^/\s]+(/\S+)", (await self.letter(number)).get_content())
        assert found is not None
        return found[1]


@contextmanager
def post_office() -> Generator[Post]:
    """A real mail server on loopback. Without a password it is spoken to in the clear."""
    port = free_port()
    box = Post(f"smtp://127.0.0.1:{port}?from=hitl@example.com")
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
