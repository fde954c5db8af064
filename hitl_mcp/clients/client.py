"""What has to be known of a client to configure it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hitl_mcp.clients.wanted import Wanted

FileOf = Callable[[str, Path, str | None], Path]
"""The file for a platform (as in `sys.platform`), a home folder, and Windows' folder for programs' data if known."""

Syntax = Literal["json", "jsonc", "toml"]
"""`jsonc`: JSON in which the client itself allows comments and trailing commas."""


@dataclass(frozen=True)
class Client:
    """One MCP client.

    Args:
        name: the word after `hitl-mcp config`.
        title: its name for people.
        file: where it keeps the servers of a user.
        syntax: of that file.
        table: the key of that file under which servers stand.
        block: our entry there. Raises: NotConfigured when the client cannot be told this way.
        inputs: further entries for the file's list `inputs`: what the client asks the user for.
        after: what to do for it to notice.
        other_way: another way to the same, made from the entry; None where there is none.
    """

    name: str
    title: str
    file: FileOf
    syntax: Syntax
    table: str
    block: Callable[[Wanted], dict[str, Any]]
    after: str
    inputs: Callable[[Wanted], list[dict[str, Any]]] = field(default=lambda _: [])
    other_way: Callable[[dict[str, Any]], str] | None = None


def programs_data(platform: str, home: Path, appdata: str | None) -> Path:
    """The folder in which desktop programs keep their settings on a platform."""
    if platform == "darwin":
        return home / "Library" / "Application Support"
    if platform == "win32":
        return Path(appdata) if appdata else home / "AppData" / "Roaming"
    return home / ".config"
