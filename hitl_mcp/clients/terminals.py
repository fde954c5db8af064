"""Agents of the terminal: Codex, Gemini CLI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hitl_mcp.clients.client import Client
from hitl_mcp.clients.wanted import CALL_SECONDS, KEY, Wanted


def _codex_file(_platform: str, home: Path, _appdata: str | None) -> Path:
    return home / ".codex" / "config.toml"


def _gemini_file(_platform: str, home: Path, _appdata: str | None) -> Path:
    return home / ".gemini" / "settings.json"


def _codex(wanted: Wanted) -> dict[str, Any]:
    limit = {"tool_timeout_sec": CALL_SECONDS}
    if not wanted.remote:
        return {**wanted.local(), **limit}
    if KEY in wanted.environment:
        return {"url": wanted.remote, "http_headers": wanted.headers(""), **limit}
    return {"url": wanted.remote, "bearer_token_env_var": KEY, **limit}


def _gemini(wanted: Wanted) -> dict[str, Any]:
    limit = {"timeout": CALL_SECONDS * 1000}
    if wanted.remote:
        return {"httpUrl": wanted.remote, "headers": wanted.headers(f"${KEY}"), **limit}
    return {**wanted.local(), **limit}


CODEX = Client(
    name="codex", title="Codex", file=_codex_file, syntax="toml", table="mcp_servers", block=_codex,
    after="Restart Codex; `/mcp` lists the server.",
)  # fmt: skip
GEMINI = Client(
    name="gemini", title="Gemini CLI", file=_gemini_file, syntax="jsonc", table="mcpServers", block=_gemini,
    after="Restart Gemini CLI; `/mcp` lists the server.",
)  # fmt: skip
