"""Signing in on a team's server: by password, or by a link that is mailed.

Whether an address is known shows neither in what is said nor in what it costs: every try counts against the same
limits, computes one hash, and a link is made after the answer has gone.
"""

from __future__ import annotations

import logging

from hitl_mcp.contract.states import Channel
from hitl_mcp.errors import HITLError, NotAuthorised
from hitl_mcp.service import guesses, sessions, sign_in
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.store.base import Tx

log = logging.getLogger(__name__)


async def by_password(services: Services, email: str, password: str, origin: str, device: str) -> str:
    """Open a session; returns its token.

    Args:
        origin: where the try comes from.

    Raises: NotAuthorised, in the same words for a wrong password and an unknown address; TooManyRequests.
    """
    here = guesses.PASSWORD_HERE.about(email, origin)
    wide = guesses.PASSWORD_OF.about(email), guesses.PASSWORDS_FROM.about(origin)
    await services.store.write(lambda tx: guesses.take(tx, here, *wide))
    known = await services.store.read(lambda tx: sign_in.known(tx, email))
    kept = None if known is None else known.password
    if not await services.passwords.fits(kept, password) or known is None:
        raise NotAuthorised(_("This address and this password do not belong together"))

    def enter(tx: Tx) -> str | None:
        if sign_in.password_of(tx, known.user_id) != kept:
            return None  # it was changed meanwhile
        guesses.forget(tx, [here, *wide])
        return sessions.start(tx, known.user_id, Channel.INBOX, device)

    token = await services.store.write(enter)
    if token is None:
        raise NotAuthorised(_("This address and this password do not belong together"))
    return token


async def ask_for_link(services: Services, email: str, origin: str) -> None:
    """Count a wish for a link. Raises: TooManyRequests."""
    limits = (guesses.LINK_HERE.about(email, origin), guesses.LINK_TO.about(email), guesses.LINKS_FROM.about(origin))
    await services.store.write(lambda tx: guesses.take(tx, *limits))


async def mail_link(services: Services, email: str) -> None:
    """Mail the link, if there is somebody; to be called after the answer has gone."""
    if services.mail is None:
        return
    try:
        token = await services.store.write(lambda tx: sign_in.new_link(tx, email))
        if token is not None:
            address = f"{services.keys.inbox_origin}/sign-in/link/{token}"
            await services.mail.send(email, _("Your link to sign in"), _link_text(address))
    except HITLError as fault:
        log.warning("a sign-in link could not be mailed: %s", type(fault).__name__)


def _link_text(address: str) -> str:
    return _(
        "Somebody, most likely you, wants to sign in to your team's inbox.\n\n"
        "Open this page within ten minutes and press the button on it:\n\n  {address}\n\n"
        "It works once. If it was not you, do nothing; nobody gets in without this link.\n"
    ).format(address=address)
