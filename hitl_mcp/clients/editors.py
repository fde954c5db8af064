"""Editors: Cursor, VS Code, Windsurf, Zed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hitl_mcp.clients.client import Client, programs_data
from hitl_mcp.clients.wanted import KEY, SERVER_NAME, Wanted
from hitl_mcp.errors import NotConfigured

_FROM_ENVIRONMENT = "${env:HITL_API_KEY}"
_VS_CODE_INPUT = "hitl-api-key"
_ZED_CALL_SECONDS = 600
"""Zed cuts longer ones to this."""


def _cursor_file(_platform: str, home: Path, _appdata: str | None) -> Path:
    return home / ".cursor" / "mcp.json"


def _vscode_file(platform: str, home: Path, appdata: str | None) -> Path:
    return programs_data(platform, home, appdata) / "Code" / "User" / "mcp.json"


def _windsurf_file(_platform: str, home: Path, _appdata: str | None) -> Path:
    return home / ".codeium" / "windsurf" / "mcp_config.json"


def _zed_file(platform: str, home: Path, appdata: str | None) -> Path:
    if platform == "win32":
        return programs_data(platform, home, appdata) / "Zed" / "settings.json"
    return home / ".config" / "zed" / "settings.json"


def _cursor(wanted: Wanted) -> dict[str, Any]:
    if wanted.remote:
        return {"url": wanted.remote, "headers": wanted.headers(_FROM_ENVIRONMENT)}
    return {"type": "stdio", **wanted.local()}


def _install_link(entry: dict[str, Any]) -> str:
    config = quote(base64.b64encode(json.dumps(entry).encode()).decode(), safe="")
    return f"cursor://anysphere.cursor-deeplink/mcp/install?name={SERVER_NAME}&config={config}"


def _vscode(wanted: Wanted) -> dict[str, Any]:
    if wanted.remote:
        return {"type": "http", "url": wanted.remote, "headers": wanted.headers("${input:%s}" % _VS_CODE_INPUT)}  # noqa: UP031
    return {"type": "stdio", **wanted.local()}


def _vscode_inputs(wanted: Wanted) -> list[dict[str, Any]]:
    if not wanted.remote or KEY in wanted.environment:
        return []
    return [
        {"type": "promptString", "id": _VS_CODE_INPUT, "description": "API key of the HITL server", "password": True}
    ]


def _windsurf(wanted: Wanted) -> dict[str, Any]:
    if wanted.remote:
        return {"serverUrl": wanted.remote, "headers": wanted.headers(_FROM_ENVIRONMENT)}
    return wanted.local()


def _zed(wanted: Wanted) -> dict[str, Any]:
    limit = {"timeout": _ZED_CALL_SECONDS}
    if not wanted.remote:
        return {**wanted.local(), **limit}
    if KEY not in wanted.environment:
        raise NotConfigured(
            f"Zed's settings cannot name an environment variable. Set {KEY} in this terminal and add --env {KEY}; "
            "the key will stand in the file."
        )
    return {"url": wanted.remote, "headers": wanted.headers(""), **limit}


CURSOR = Client(
    name="cursor", title="Cursor", file=_cursor_file, syntax="jsonc", table="mcpServers", block=_cursor,
    after="Turn the server on in Cursor's settings under MCP.", other_way=_install_link,
)  # fmt: skip
VSCODE = Client(
    name="vscode", title="VS Code", file=_vscode_file, syntax="jsonc", table="servers", block=_vscode,
    after="Start the server with the command `MCP: List Servers`.", inputs=_vscode_inputs,
)  # fmt: skip
WINDSURF = Client(
    name="windsurf", title="Windsurf", file=_windsurf_file, syntax="json", table="mcpServers", block=_windsurf,
    after="Press the refresh button of Cascade's list of MCP servers.",
)  # fmt: skip
ZED = Client(
    name="zed", title="Zed", file=_zed_file, syntax="jsonc", table="context_servers", block=_zed,
    after="Zed notices by itself; the agent panel's settings show a green dot.",
)  # fmt: skip
