"""Configuration blocks for MCP clients. Today Claude Desktop; `python -m hitl_mcp` by its absolute interpreter, because
desktop programs do not have the terminal's PATH."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any, cast

from hitl_mcp.errors import NotConfigured

SERVER_NAME = "hitl"


def server_block() -> dict[str, Any]:
    """How a client starts this very installation.

    `-P`, because hosts start servers in the project's folder, and a file there must not run as one of our modules (H8).
    """
    return {"command": sys.executable, "args": ["-P", "-m", "hitl_mcp"]}


def claude_desktop_file(platform: str, home: Path, appdata: str | None) -> Path:
    """Where Claude Desktop keeps its configuration.

    Args:
        platform: as in `sys.platform`.
        home: the user's home folder.
        appdata: Windows' folder for programs' data, if known.
    """
    if platform == "darwin":
        folder = home / "Library" / "Application Support" / "Claude"
    elif platform == "win32":
        folder = (Path(appdata) if appdata else home / "AppData" / "Roaming") / "Claude"
    else:
        folder = home / ".config" / "Claude"
    return folder / "claude_desktop_config.json"


def merged(current: str) -> str:
    """The configuration file with our block in it, everything else kept. Raises: NotConfigured when it is not JSON."""
    try:
        parsed: Any = json.loads(current) if current.strip() else {}
    except ValueError as error:
        raise NotConfigured(
            f"The configuration file is not valid JSON ({error}). Nothing was changed. Correct it, then run this again."
        ) from None
    if not isinstance(parsed, dict) or not isinstance(cast("dict[str, Any]", parsed).get("mcpServers", {}), dict):
        raise NotConfigured("The configuration file has another shape than expected. Nothing was changed.")
    config = cast("dict[str, Any]", parsed)
    config.setdefault("mcpServers", {})[SERVER_NAME] = server_block()
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def write(path: Path, text: str) -> Path | None:
    """Replace the file in one step; returns the backup of what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    backup = None
    if path.exists():
        backup = path.with_name(f"{path.name}.{time.strftime('%Y%m%d-%H%M%S')}.bak")
        shutil.copy2(path, backup)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
    return backup
