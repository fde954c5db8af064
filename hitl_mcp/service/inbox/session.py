"""Who is at the page: the cookie, the sign-in, the form token, and where a form came from (H13, H15)."""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from dataclasses import dataclass, field

from starlette.datastructures import FormData
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from hitl_mcp.contract.states import Channel
from hitl_mcp.errors import NotAllowed, NotAuthorised, TooManyRequests
from hitl_mcp.service import sessions, sign_in
from hitl_mcp.service.actors import Person
from hitl_mcp.service.context import Keys, Services
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.membership import joined_by

COOKIE = "hitl_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
"""Under TLS: browsers take it from this host only, so that a neighbour under the same domain can plant no session."""
GUESSES = 5
MAX_FIELDS = 1_200
"""A form of 50 fields with 20 boxes each, and what stands around it."""
GUESS_MS = 60_000
_LONGEST_TYPED = 20
"""Codes for a form are longer and cannot be guessed; only typed ones are counted."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in person at a page, and the token that the page's forms carry."""

    person: Person
    form_token: str


def form_token(keys: Keys, session: str) -> str:
    """What a form of this session carries; nobody who cannot read the page can make it."""
    return hmac.new(keys.proof_secret, b"form\x1f" + session.encode(), hashlib.sha256).hexdigest()


def session_of(connection: HTTPConnection, keys: Keys) -> str:
    """The session that a browser sends; empty when it has none."""
    return connection.cookies.get(SECURE_COOKIE if keys.is_secure else COOKIE, "")


async def person_at(services: Services, session: str) -> Person | None:
    """Who holds the session, if it lives and is one of the inbox."""
    if not session:
        return None
    holder = await services.store.read(lambda tx: sessions.holder(tx, session, services.keys.assurance))
    if holder is None or holder.person.channel is not Channel.INBOX:
        return None
    if holder.unseen:
        await services.store.write(lambda tx: sessions.seen(tx, session))
    return holder.person


async def visit_of(connection: HTTPConnection, services: Services) -> Visit:
    """The signed-in person. Raises: NotAuthorised."""
    session = session_of(connection, services.keys)
    person = await person_at(services, session)
    if person is None:
        raise NotAuthorised("You are signed out")
    return Visit(person, form_token(services.keys, session))


async def check_joined(services: Services, visit: Visit) -> None:
    """Only who belongs to a loop has the service call others: a newcomer is anybody with a code (H10).

    Raises: NotAllowed.
    """
    if not await services.store.read(lambda tx: joined_by(tx, visit.person.user_id)):
        raise NotAllowed(_("Nobody has let you in yet, so nothing is sent for you. Nothing was changed"))


def check_origin(connection: HTTPConnection, *allowed: str) -> None:
    """Only our own pages may change anything. Raises: NotAllowed."""
    if connection.headers.getlist("origin") not in [[origin] for origin in allowed]:
        raise NotAllowed("This came from another page and was refused. Nothing was changed")


def has_token(visit: Visit, form: FormData) -> bool:
    """Whether the form is one that this session was shown."""
    given = form.get("token")
    return isinstance(given, str) and hmac.compare_digest(given.encode(), visit.form_token.encode())


def check_token(visit: Visit, form: FormData) -> None:
    """The form must be one that this session was shown. Raises: NotAllowed."""
    if not has_token(visit, form):
        raise NotAllowed("This form belongs to an earlier sign-in. Nothing was changed. Reload the page and try again")


async def received(request: Request, services: Services) -> tuple[Visit, FormData]:
    """A form from our own origin and a signed-in person; its token is still to be checked.

    It is kept with the request, for the page that a failure leads to. Raises: NotAllowed, NotAuthorised.
    """
    check_origin(request, services.keys.inbox_origin)
    request.state.form = form = await request.form(max_files=0, max_fields=MAX_FIELDS)
    return await visit_of(request, services), form


async def posted(request: Request, services: Services) -> tuple[Visit, FormData]:
    """A form that a signed-in person sent from one of our own pages. Raises: NotAllowed, NotAuthorised."""
    visit, form = await received(request, services)
    check_token(visit, form)
    return visit, form


def check_sign_in_origin(connection: HTTPConnection, keys: Keys) -> None:
    """On one machine a private file posts the code, so its origin may be `null` or missing. Raises: NotAllowed."""
    from_a_file: tuple[list[str], ...] = ([], ["null"]) if not keys.is_team else ()
    if connection.headers.getlist("origin") not in (*from_a_file, [keys.inbox_origin]):
        raise NotAllowed("This sign-in came from another page and was refused")


@dataclass(slots=True)
class SignIns:
    """Signs people in, and lets nobody guess.

    On one machine five wrong codes end it for a minute. A team's server is asked by strangers, who could lock everybody
    out by that; there a code's 50 random bits and its one minute are enough.
    """

    services: Services
    _wrong: deque[int] = field(default_factory=deque[int])

    async def sign_in(self, code: str, old_session: str, device: str) -> str:
        """Use up a code; returns the token of a new session and ends the old one.

        Raises: NotAuthorised for a wrong code, TooManyRequests after five of them within a minute.
        """
        typed = len(code.strip()) <= _LONGEST_TYPED and not self.services.keys.is_team
        if typed:
            self._count()
        try:
            if not await self.services.store.read(lambda tx: sign_in.is_code(tx, code)):
                raise sign_in.no_such_code()  # guesses cost no transaction that writes
            session = await self.services.store.write(lambda tx: sign_in.by_code(tx, code, Channel.INBOX, device))
        except NotAuthorised:
            if typed and len(self._wrong) >= GUESSES:
                await self.services.store.write(sign_in.forget_codes)
                raise self._too_many() from None
            raise
        if typed:
            self._wrong.clear()
        if old_session:
            await self.services.store.write(lambda tx: sessions.end_this(tx, old_session))
        return session

    def _count(self) -> None:
        """Counted before it is tried, so that many at once are no way around."""
        now = self.services.clock()
        while self._wrong and not 0 <= now - self._wrong[0] < GUESS_MS:
            self._wrong.popleft()
        if len(self._wrong) >= GUESSES:
            raise self._too_many()
        self._wrong.append(now)

    def _too_many(self) -> TooManyRequests:
        return TooManyRequests(
            "Too many wrong codes. The open codes were made worthless; wait a minute, then ask for a new one: "
            "hitl-mcp inbox",
            {"retry_after": self.seconds_left()},
        )

    def seconds_left(self) -> int:
        """How long typed codes are not taken."""
        left = GUESS_MS - (self.services.clock() - self._wrong[0]) if self._wrong else GUESS_MS
        return max(1, -(-left // 1000))


def set_session(response: Response, session: str, *, secure: bool) -> None:
    """Give the browser the session: for this host only, out of reach of scripts, never sent from another site.

    Args:
        secure: people come over TLS, so the cookie never travels without it.
    """
    response.set_cookie(
        SECURE_COOKIE if secure else COOKIE, session, max_age=sessions.SESSION_MS // 1000, path="/", httponly=True,
        samesite="strict", secure=secure,
    )  # fmt: skip


def clear_session(response: Response, *, secure: bool) -> None:
    """Take the session from the browser."""
    name = SECURE_COOKIE if secure else COOKIE
    response.delete_cookie(name, path="/", httponly=True, samesite="strict", secure=secure)
