"""Mail over the operator's own server: invitations and sign-in links. Set up by `HITL_SMTP_URL`."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import parse_qs, unquote, urlsplit

from hitl_mcp.errors import NotConfigured, ServiceFault

log = logging.getLogger(__name__)

SECONDS = 20.0
"""Each step of the talk with the mail server takes at most so long."""
_PORTS = {"smtp": 587, "smtps": 465}
_SHAPE = "HITL_SMTP_URL: must be like smtp://USER:PASSWORD@HOST:587?from=hitl@example.com, or smtps:// for TLS at once"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail server and who writes.

    Attributes:
        starttls: None where it is used if the server offers it: outside of port 587 and of a password.
    """

    host: str
    port: int
    sender: str
    tls: bool
    starttls: bool | None
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    async def send(self, to: str, subject: str, text: str) -> None:
        """Hand one plain message to the mail server. Raises: ServiceFault, which names no secret."""
        import aiosmtplib  # not at the start of every service: few send mail

        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, to, " ".join(subject.split())
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=self.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        try:
            await aiosmtplib.send(
                message, hostname=self.host, port=self.port, timeout=SECONDS, use_tls=self.tls,
                start_tls=self.starttls, username=self.user, password=self.password,
            )  # fmt: skip
        except (aiosmtplib.SMTPException, OSError, ValueError) as fault:
            log.warning("mail could not be sent: %s", type(fault).__name__)
            raise ServiceFault("The mail could not be sent: the mail server did not take it", status=503) from None


def mail_at(url: str | None) -> Mail | None:
    """The mail server that the operator named. Raises: NotConfigured, without repeating what it holds."""
    if url is None:
        return None
    try:
        parts = urlsplit(url.strip())
        port = parts.port or _PORTS[parts.scheme]
        sender = parse_qs(parts.query).get("from", [""])[0] or unquote(parts.username or "")
    except (ValueError, KeyError):
        raise NotConfigured(_SHAPE) from None
    if not parts.hostname or "@" not in sender or parts.path not in ("", "/"):
        raise NotConfigured(_SHAPE)
    secured = port == _PORTS["smtp"] or parts.password is not None
    return Mail(
        parts.hostname, port, sender, tls=parts.scheme == "smtps",
        starttls=False if parts.scheme == "smtps" else True if secured else None,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )  # fmt: skip
