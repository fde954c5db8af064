"""Which backend a key and an address mean. Settings decide, nothing is guessed, and nothing falls back silently.

| key | address | backend |
| --- | --- | --- |
| - | - | local: the service on this machine |
| set | - | cloud: HITL.sh |
| set | of hitl.sh | cloud |
| set | any other | server: a team's own |
| - | set | refused: a key is missing |

`HITL_BACKEND` says it outright, for an address that the table would take for something else (a gateway to the cloud).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from hitl_mcp.errors import NotConfigured
from hitl_mcp.sdk.connection import Connection
from hitl_mcp.sdk.endpoint import Endpoint, Fixed
from hitl_mcp.sdk.local import RunningService
from hitl_mcp.sdk.own import OwnService

if TYPE_CHECKING:
    from hitl_mcp.sdk.backend import Backend
    from hitl_mcp.settings import Settings

Kind = Literal["local", "server", "cloud"]
CLOUD_URL = "https://api.hitl.sh"
CLOUD_APP = "https://my.hitl.sh"


@dataclass(frozen=True, slots=True, repr=False)
class Choice:
    """A backend that was chosen. Its key is in no text of it."""

    kind: Kind
    url: str = ""
    key: str = ""

    def endpoint(self) -> Endpoint:
        """Where it is; not for the local one, which is found."""
        return Endpoint(self.url, self.key, CLOUD_APP if self.kind == "cloud" else self.url, name=self.kind)


def choose(key: str | None, url: str | None, wanted: Kind | Literal["auto"] = "auto") -> Choice:
    """The table above.

    Args:
        key: an API key, or none.
        url: an address, with or without `/v1`, or none.
        wanted: the kind, where it is said outright.

    Raises: NotConfigured, naming the setting.
    """
    key = (key or "").strip()
    if any(not "!" <= c <= "~" for c in key):
        raise NotConfigured("HITL_API_KEY holds a space or a character that no key has. Copy the key once more.")
    address = _origin(url) if url and url.strip() else ""
    if wanted == "local":
        return Choice("local")
    if wanted == "auto":
        if not key and not address:
            return Choice("local")
        wanted = "cloud" if not address or _is_cloud(address) else "server"
    if wanted == "server" and not address:
        raise NotConfigured("HITL_BACKEND is server, but HITL_BASE_URL does not say where it is. Set it.")
    if not key:
        where = "the HITL.sh cloud" if wanted == "cloud" else address
        raise NotConfigured(
            f"HITL_API_KEY is not set, and {where} needs one. Set it, or unset HITL_BASE_URL and HITL_BACKEND to use "
            "the local service of this machine. Nothing was sent anywhere."
        )
    return Choice(wanted, address or CLOUD_URL, key)


def backend_maker(
    key: str | None,
    url: str | None,
    *,
    timeout: float | None,
    max_retries: int,
    retry_delay: float,
    user_agent: str | None,
) -> Callable[[], Backend]:
    """The backend for a program: what it does not say is taken from the settings, once. Starts nothing.

    Returns: what opens it, for as many event loops as need be.

    Raises: NotConfigured.
    """
    from hitl_mcp.settings import read_settings

    if key is not None and not key.strip():  # else a program whose own setting is missing would ask somewhere else
        raise NotConfigured("api_key is empty. Give a key, or leave api_key out to use HITL_API_KEY.")
    settings = read_settings()
    secret = settings.api_key.get_secret_value() if settings.api_key else None
    wanted = "auto" if settings.backend == "local" and (key or url) else settings.backend
    choice = choose(key or secret, url or settings.base_url, wanted)

    def make() -> Backend:
        resolver = RunningService(settings.data_dir) if choice.kind == "local" else Fixed(choice.endpoint())
        connection = Connection(
            resolver,
            timeout=settings.timeout if timeout is None else timeout,
            max_retries=max_retries,
            retry_delay=retry_delay,
            user_agent=user_agent,
        )
        return opened(choice, connection, settings.data_dir)

    make()  # wrong arguments are told at once
    return make


def opened(choice: Choice, connection: Connection, folder: Path) -> Backend:
    """The chosen kind of backend over a connection.

    Args:
        folder: where the cloud's kind keeps what the processes of this machine share.
    """
    if choice.kind == "cloud":
        from hitl_mcp.sdk.cloud.backend import Cloud

        return Cloud(connection, folder)
    return OwnService(connection)


def choice_of(settings: Settings) -> Choice:
    """What the settings alone choose. Raises: NotConfigured."""
    secret = settings.api_key.get_secret_value() if settings.api_key else None
    return choose(secret, settings.base_url, settings.backend)


def need_local(settings: Settings, command: str) -> None:
    """Raises: NotConfigured where the settings choose another backend; never fall back silently."""
    choice = choice_of(settings)
    if choice.kind != "local":
        where = "the HITL.sh app" if choice.kind == "cloud" else f"the inbox at {choice.url}"
        raise NotConfigured(
            f"{command} works with the local service, but HITL_API_KEY, HITL_BASE_URL or HITL_BACKEND choose "
            f"{'the HITL.sh cloud' if choice.kind == 'cloud' else choice.url}. People answer in {where}. To use the "
            "local service unset them, or set HITL_BACKEND=local."
        )


def _is_cloud(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    return host == "hitl.sh" or host.endswith(".hitl.sh")


def _origin(url: str) -> str:
    given = url.strip().rstrip("/")
    for ending in ("/v1/api", "/v1"):
        given = given.removesuffix(ending).rstrip("/")
    try:
        parts = urlsplit(given)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        plain = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    except ValueError:
        usable = plain = False
    if not (usable and plain):
        raise NotConfigured(
            "HITL_BASE_URL must be like https://hitl.example.com: http or https, a host, and nothing behind it but /v1."
        )
    return given
