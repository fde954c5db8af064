"""Claude Desktop and Claude Code."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from hitl_mcp.clients.client import Client, programs_data
from hitl_mcp.clients.wanted import CALL_SECONDS, KEY, SERVER_NAME, Wanted
from hitl_mcp.errors import NotConfigured


def claude_desktop_file(platform: str, home: Path, appdata: str | None) -> Path:
    """Where Claude Desktop keeps its configuration."""
    return programs_data(platform, home, appdata) / "Claude" / "claude_desktop_config.json"


def _claude_code_file(_platform: str, home: Path, _appdata: str | None) -> Path:
    return home / ".claude.json"


def _desktop(wanted: Wanted) -> dict[str, Any]:
    if wanted.remote:
        raise NotConfigured(
            "Claude Desktop's file takes servers that it starts itself. For a team's server put its address and key "
            f"into the block: set HITL_BASE_URL and {KEY}, then use --env HITL_BASE_URL --env {KEY} without --remote."
        )
    return wanted.local()


def _code(wanted: Wanted) -> dict[str, Any]:
    # `timeout` is a hard limit in milliseconds; from 1000 on it also moves the limit on idle connections
    limit = {"timeout": CALL_SECONDS * 1000}
    if wanted.remote:
        return {"type": "http", "url": wanted.remote, "headers": wanted.headers("${%s}" % KEY), **limit}  # noqa: UP031
    return {"type": "stdio", **wanted.local(), **limit}


def _add_command(entry: dict[str, Any]) -> str:
    return f"claude mcp add-json --scope user {SERVER_NAME} {shlex.quote(json.dumps(entry))}"


CLAUDE_DESKTOP = Client(
    name="claude-desktop", title="Claude Desktop", file=claude_desktop_file, syntax="json", table="mcpServers",
    block=_desktop, after="Restart Claude Desktop from its tray or menu.",
)  # fmt: skip
CLAUDE_CODE = Client(
    name="claude-code", title="Claude Code", file=_claude_code_file, syntax="json", table="mcpServers", block=_code,
    after="Restart Claude Code; one that runs may write its own copy of this file over it.", other_way=_add_command,
)  # fmt: skip
