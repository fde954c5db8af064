"""Settings: the only reader of the environment. Every variable is named `HITL_` and documented in the README."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from hitl_mcp.errors import NotConfigured


def _default_data_dir() -> Path:
    from platformdirs import user_data_path

    return user_data_path("hitl-mcp", appauthor=False)


def _absolute(path: Path) -> Path:
    """For the service, whose working folder is another; JSON configurations have no shell to expand `~`."""
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(str(error)) from None


def _absolute_or_none(path: Path | None) -> Path | None:
    return None if path is None else _absolute(path)


def _origin(url: str | None) -> str | None:
    """Scheme and host only: every link, cookie and check is made from it."""
    if url is None:
        return None
    parts = urlsplit(url.strip())
    plain = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ValueError("must be like https://hitl.example.com: http or https, a host, and nothing behind it")
    usual = ":443" if parts.scheme == "https" else ":80"  # browsers leave it out of Host and Origin
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(usual)}"


def listed(text: str) -> tuple[str, ...]:
    """The entries of a setting that holds several, separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


class Settings(BaseSettings):
    """What can be set from outside, with its default."""

    model_config = SettingsConfigDict(env_prefix="HITL_", extra="ignore", frozen=True, env_ignore_empty=True)

    data_dir: Annotated[
        Path,
        AfterValidator(_absolute),
        Field(default_factory=_default_data_dir, description="folder of the local service"),
    ]
    loop: Annotated[str | None, Field(description="loop that questions go to when the agent names none")] = None
    wait_seconds: Annotated[float, Field(ge=0, le=3600, description="how long a tool call waits by default")] = 45
    round_seconds: Annotated[
        float, Field(ge=0.5, le=3600, description="how long one request waits where a call can go on in another")
    ] = 40
    port: Annotated[int, Field(ge=0, le=65535, description="port of the local service; 0: chosen once, then kept")] = 0
    open_browser: Annotated[bool, Field(description="open the inbox when a question comes and no page shows it")] = True
    notify: Annotated[bool, Field(description="desktop notification for a new question")] = True
    inbox_host: Annotated[
        Literal["random", "localhost"],
        Field(description="`localhost` for browsers that cannot resolve *.localhost; weaker, see the threat model"),
    ] = "random"
    service: Annotated[
        Literal["auto", "background", "in-process"],
        Field(description="where the local service runs; auto: in the background, else inside the stdio server"),
    ] = "auto"
    idle_seconds: Annotated[float, Field(ge=1, description="the local service ends after so long unused")] = 900
    public_url: Annotated[
        str | None,
        AfterValidator(_origin),
        Field(description="where people and programs reach the service, e.g. https://hitl.example.com"),
    ] = None
    host: Annotated[str, Field(description="address that `hitl-mcp serve` listens on")] = "127.0.0.1"
    database_url: Annotated[
        SecretStr | None,
        Field(description="a team's database, postgresql://USER:PASSWORD@HOST/NAME; unset: SQLite in the data folder"),
    ] = None
    allowed_hosts: Annotated[
        str, Field(description="further host names the API and MCP answer to, separated by commas")
    ] = ""
    cors_origins: Annotated[
        str, Field(description="origins of web pages that may call the API, separated by commas")
    ] = ""
    rate_limit: Annotated[int | None, Field(ge=1, description="calls per hour and API key; unset: unlimited")] = None
    loop_aliases: Annotated[
        str, Field(description="other names of loops for old callers: loop_123=Content moderation, separated by commas")
    ] = ""
    outgoing_allow: Annotated[
        str, Field(description="private hosts, addresses or networks the service may call, separated by commas")
    ] = ""
    smtp_url: Annotated[
        SecretStr | None,
        Field(description="mail server for invitations and sign-in links, smtp://USER:PASSWORD@HOST:587?from=ADDRESS"),
    ] = None
    trusted_proxies: Annotated[
        str, Field(description="proxies whose X-Forwarded-For is believed, addresses or networks separated by commas")
    ] = ""
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="of the service's log")] = (
        "INFO"
    )
    locales: Annotated[
        Path | None,
        AfterValidator(_absolute_or_none),
        Field(description="folder with translations of the pages, LANGUAGE/LC_MESSAGES/messages.mo"),
    ] = None
    retention_days: Annotated[
        int | None,
        Field(ge=1, description="closed requests lose their texts after so many days; unset: never"),
    ] = None
    retention: Annotated[
        Literal["delete", "archive"], Field(description="archive: what is emptied is written to a file before")
    ] = "delete"
    retention_dir: Annotated[
        Path | None,
        AfterValidator(_absolute_or_none),
        Field(description="folder of the archive; unset: `archive` in the data folder"),
    ] = None
    anchor_dir: Annotated[
        Path | None,
        AfterValidator(_absolute_or_none),
        Field(description="folder for the event log's anchors and their key; unset: the data folder, with SQLite"),
    ] = None
    api_key: Annotated[SecretStr | None, Field(description="of the HITL.sh cloud or a team's server")] = None
    base_url: Annotated[
        str | None,
        Field(description="a team's server, with or without /v1; unset, with a key: the HITL.sh cloud"),
    ] = None
    backend: Annotated[
        Literal["auto", "local", "server", "cloud"],
        Field(description="auto: as key and address say; else the kind of backend outright"),
    ] = "auto"
    timeout: Annotated[float, Field(gt=0, le=3600, description="seconds one call to the backend may take")] = 30
    tools: Annotated[
        Literal["default", "compat"], Field(description="compat: the seven tools of the official HITL.sh MCP server")
    ] = "default"

    @property
    def aliases(self) -> dict[str, str]:
        """`loop_aliases` as a mapping. Raises: NotConfigured."""
        pairs = [part.partition("=") for part in listed(self.loop_aliases)]
        if any(not (name.strip() and same and loop.strip()) for name, same, loop in pairs):
            raise NotConfigured("HITL_LOOP_ALIASES: must be like loop_123=Content moderation, separated by commas")
        return {name.strip(): loop.strip() for name, _, loop in pairs}


def read_settings() -> Settings:
    """The settings of this process. Raises: NotConfigured, naming the variable and what is allowed."""
    try:
        return Settings()  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        name = "HITL_" + "_".join(str(part) for part in fault["loc"]).upper()
        words = fault["msg"].removeprefix("Value error, ")
        raise NotConfigured(f"{name}: {words}. Change the environment variable {name}, or unset it.") from None


_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "USERPROFILE", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "DISPLAY",
         "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "BROWSER", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR",
         "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "COMSPEC", "PATHEXT", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV",
         "WSL_DISTRO_NAME", "WSL_INTEROP")  # fmt: skip
_KEPT_PREFIXES = ("LC_", "XDG_")


def service_environment(settings: Settings) -> dict[str, str]:
    """What the background service inherits: what a desktop program needs, our settings, and no secret (H34)."""
    kept = {
        name: value
        for name, value in os.environ.items()  # noqa: TID251
        if name.upper() in _KEPT or name.upper().startswith(_KEPT_PREFIXES)
    }
    for name in ("port", "open_browser", "notify", "inbox_host", "idle_seconds", "log_level", "public_url",
                 "allowed_hosts", "cors_origins", "rate_limit", "loop_aliases", "outgoing_allow",
                 "locales", "retention_days", "retention", "retention_dir", "anchor_dir"):  # fmt: skip
        if (value := getattr(settings, name)) not in (None, ""):
            kept[f"HITL_{name.upper()}"] = str(value)
    kept["HITL_DATA_DIR"] = str(settings.data_dir)
    return kept


_AGENT_MARKS = ("CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CURSOR_AGENT", "CURSOR_TRACE_ID", "CODEX_SANDBOX",
                "CODEX_THREAD_ID", "GEMINI_CLI", "OPENCODE", "AIDER_MODEL", "GOOSE_TERMINAL", "AI_AGENT")  # fmt: skip


def agent_environment(environ: Mapping[str, str] | None = None) -> str | None:
    """The variable that tells that this process was started by a known coding agent, if any (H8)."""
    given = os.environ if environ is None else environ  # noqa: TID251
    return next((name for name in _AGENT_MARKS if given.get(name)), None)


def can_show_a_browser(environ: Mapping[str, str] | None = None) -> bool:
    """Whether a graphical browser can be expected: a desktop session, or an operator's own BROWSER command."""
    given = os.environ if environ is None else environ  # noqa: TID251
    if given.get("BROWSER") or sys.platform in ("win32", "darwin"):
        return True
    return bool(given.get("DISPLAY") or given.get("WAYLAND_DISPLAY"))


def has_session_bus(environ: Mapping[str, str] | None = None) -> bool:
    """Whether a desktop's message bus is announced; notifications on Linux need it."""
    given = os.environ if environ is None else environ  # noqa: TID251
    return bool(given.get("DBUS_SESSION_BUS_ADDRESS"))


def windows_appdata() -> str | None:
    """Windows' folder for programs' data."""
    return os.environ.get("APPDATA")  # noqa: TID251


def demo_environment(folder: Path, *, browser: bool) -> dict[str, str]:
    """The environment of the demo's server: a folder and port of its own, whatever this machine is set to."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("HITL_")}  # noqa: TID251
    flag = str(browser).lower()
    return ours | {"HITL_DATA_DIR": str(folder), "HITL_OPEN_BROWSER": flag, "HITL_NOTIFY": "false"}
