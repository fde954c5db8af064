"""Configuring MCP clients: what each of them wants to read, and changing its file without harm to the rest of it."""

from __future__ import annotations

from hitl_mcp.clients.claude import CLAUDE_CODE, CLAUDE_DESKTOP, claude_desktop_file
from hitl_mcp.clients.client import Client
from hitl_mcp.clients.editors import CURSOR, VSCODE, WINDSURF, ZED
from hitl_mcp.clients.terminals import CODEX, GEMINI

CLIENTS: tuple[Client, ...] = (CLAUDE_DESKTOP, CLAUDE_CODE, CURSOR, VSCODE, CODEX, GEMINI, WINDSURF, ZED)

__all__ = ["CLIENTS", "Client", "claude_desktop_file"]
