"""The MCP face over HTTP: streamable HTTP at `/mcp`, the legacy HTTP+SSE at `/sse` and `/messages/`.

A package of its own because it needs the web framework, which a stdio server must not wait for at its start.
"""

from hitl_mcp.tools.http.app import MCPOverHTTP, create_mcp_app, serves

__all__ = ["MCPOverHTTP", "create_mcp_app", "serves"]
