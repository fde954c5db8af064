"""Channels of Apprise: one address form for chats, mail, phones and desktops, and what an address may be.

Apprise speaks to its receivers by itself, outside the outgoing guard. So an address of anybody but the machine's own
user is held to what cannot be turned against the service: no receiver on this machine, no file of it, and where the
address names a server, a public one that shows a certificate for its name, or one that the operator allowed.
"""

from __future__ import annotations

import logging
import re
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

import anyio
import anyio.to_thread

from hitl_mcp.errors import BadRequest, HITLError, Unreachable
from hitl_mcp.service.outgoing.addresses import SETTING

if TYPE_CHECKING:
    from apprise import AppriseAsset

    from hitl_mcp.service.notify.card import Card
    from hitl_mcp.service.outgoing.guard import Outgoing

MAX_ADDRESS = 2_000
SEND_SECONDS = 20.0
SENDS = 4
"""Messages that are on their way over Apprise at the same time: each takes a thread."""
_FAULT_CHARACTERS = 300
_SHORTEST_SECRET = 5

_AT_HOME = frozenset(
    ("blink1", "dbus", "fcm", "gio", "glib", "gnome", "kde", "macosx", "nostr", "qt", "rsyslog", "syslog", "vapid",
     "windows")
)  # fmt: skip
"""Kinds that show something on this machine, or read files of it."""
_REACHING = frozenset(
    ("attach", "cto", "file", "keyfile", "pgp", "pgppub", "pgpprv", "pgpkey", "redirect", "relays", "retry", "rto",
     "subfile", "template", "verify", "wait")
)  # fmt: skip
"""Parameters that name a file, loosen the check of certificates, lead elsewhere or keep a thread."""
_limiter: list[anyio.CapacityLimiter] = []


@cache
def _asset() -> AppriseAsset:
    from apprise import AppriseAsset, PersistentStoreMode

    # its own lines may name addresses with their secrets; what went wrong is collected in `_Words` instead
    logging.getLogger("apprise").propagate = False
    return AppriseAsset(
        app_id="hitl_mcp", app_desc="hitl_mcp", app_url="", http_redirects=False, allow_templates=False,
        pem_autogen=False, storage_mode=PersistentStoreMode.MEMORY, service_timeout=SEND_SECONDS,
    )  # fmt: skip


def _plugin(address: str) -> Any:  # the library's own types say little
    from apprise import Apprise

    with _Words() as words:
        made: Any = cast("Any", Apprise).instantiate(address, asset=_asset(), suppress_exceptions=True)
    if made is None:
        why = words.without(address)
        raise BadRequest(
            "This is no address that Apprise knows. It begins with the service's name, such as mailtos://, slack:// or "
            "tgram://; see appriseit.com/services" + (f" ({why})" if why else "")
        )
    return made


async def checked(address: str, outgoing: Outgoing, *, at_home: bool) -> str:
    """What an address leads to, for people and without what is secret in it, if it may be used.

    Args:
        outgoing: the guard that judges where it leads.
        at_home: the address is one of the machine's own user, who may name what they like.

    Raises: BadRequest that says why it may not.
    """
    if len(address) > MAX_ADDRESS or not address.isprintable() or "://" not in address:
        raise BadRequest(
            f"Give one Apprise address such as mailtos://…, on one line, of at most {MAX_ADDRESS} characters"
        )
    plugin = await anyio.to_thread.run_sync(_plugin, address)
    if not at_home:
        try:
            await _judge(address, plugin, outgoing)
        except BadRequest as refused:
            raise BadRequest(str(refused.details or refused.message)) from None
        except Unreachable as error:
            raise BadRequest(str(error)) from None
    return f"{plugin.service_name} {_masked(plugin)}"


async def _judge(address: str, plugin: Any, outgoing: Outgoing) -> None:
    kind = urlsplit(address).scheme.lower()
    if kind in _AT_HOME:
        raise BadRequest(f"{kind}:// works on one's own machine only, not on a server that others use")
    loose = sorted(_parameters(address) & _REACHING)
    if loose:
        raise BadRequest(f"The parameter {loose[0]} is not taken on a server that others use. Leave it out")
    if getattr(plugin, "discovery", False):  # a server's word on where else to send, which nobody judges
        raise BadRequest("Name the homeserver itself, and add the parameter discovery=no, on a server that others use")
    for host in _hosts(plugin):
        port = getattr(plugin, "port", None)
        await _judge_host(host, port, plugin, outgoing)


def _parameters(address: str) -> set[str]:
    """The names that Apprise may read as parameters: it takes `;` for `&`, blanks around a name, and any `#`."""
    named = (unquote(part.partition("=")[0]) for part in re.split("[?&;#]", address)[1:])
    return {name.strip().lower() for name in named}


def _hosts(plugin: Any) -> list[str]:
    """The servers that an address names itself; none where the service has one of its own."""
    if getattr(plugin, "mode", None) == "cloud" or "host" not in plugin.template_tokens:
        return []
    named = [getattr(plugin, "smtp_host", None) or plugin.host]
    return [host for host in named if isinstance(host, str) and host]


async def _judge_host(host: str, port: int | None, plugin: Any, outgoing: Outgoing) -> None:
    bare = host.strip("[]")
    named = f"[{bare}]" if ":" in bare else bare
    try:
        await outgoing.check(f"https://{named}:{port or 443}/")
    except Unreachable:
        if plugin.protocol or not plugin.secure_protocol:
            raise
        return  # a mail domain and the like, which is never called
    if not plugin.protocol and plugin.service_name != "E-Mail":
        return  # this service speaks TLS only
    is_secure = plugin.secure and getattr(plugin, "secure_mode", None) != "insecure"  # mail has a mode of its own
    if is_secure and plugin.verify_certificate:
        return
    try:
        await outgoing.check(f"http://{named}:{port or 80}/")
    except HITLError:
        secure = _first(plugin.secure_protocol)
        raise BadRequest(
            f"This address sends without TLS. Use {secure}://, or have the operator allow the host with {SETTING}"
        ) from None


def _first(names: Any) -> str:
    given: tuple[str, ...] = (names,) if isinstance(names, str) else tuple(names or ())
    return given[0] if given else "a secure form"


def _masked(plugin: Any) -> str:
    """The address without anything secret; paths of web hooks are, and so is a topic that anybody may read."""
    shown = urlsplit(str(plugin.url(privacy=True)))
    return f"{shown.scheme}://{'' if getattr(plugin, 'mode', None) == 'cloud' else shown.netloc + '/'}…"


async def send(address: str, card: Card) -> str | None:
    """Send one message; None once the receiver took it, else why it did not, without secrets."""
    if not _limiter:
        _limiter.append(anyio.CapacityLimiter(SENDS))
    try:
        with anyio.fail_after(SEND_SECONDS + 5):
            return await anyio.to_thread.run_sync(_send, address, card, limiter=_limiter[0], abandon_on_cancel=True)
    except TimeoutError:
        return f"did not answer within {SEND_SECONDS:.0f} seconds"


def _send(address: str, card: Card) -> str | None:
    from apprise import NotifyFormat

    try:
        plugin = _plugin(address)
        with _Words() as words:
            if plugin.notify(body=card.text, title=card.title, body_format=NotifyFormat.TEXT):
                return None
        return words.without(address) or "did not take the message, and said no more"
    except BadRequest as refused:
        return refused.message
    except Exception as error:  # boundary: a hundred services' plugins, and any of them may fail in its own way
        return _bare(f"{type(error).__name__}: {error}", address)


def _bare(text: str, address: str) -> str:
    """A text of ours or a receiver's with every part of the address that could be secret taken out."""
    parts = {part for part in re.split(r"[/:@?&=,]+", address) if len(part) >= _SHORTEST_SECRET}
    host = urlsplit(address).hostname or ""
    for part in sorted(parts - {host, urlsplit(address).scheme}, key=len, reverse=True):
        text = text.replace(part, "…")
    return " ".join("".join(c for c in text if c.isprintable() or c == "\n").split())[:_FAULT_CHARACTERS]


class _Words(logging.Handler):
    """What Apprise says in this thread while the block runs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self._said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread and len(self._said) < 5:
            self._said.append(record.getMessage())

    def __enter__(self) -> _Words:
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)

    def without(self, address: str) -> str:
        return _bare(". ".join(self._said), address)
