"""The one fault of changing a file that is no fault of the file."""

from __future__ import annotations

from hitl_mcp.errors import NotConfigured


class Unsafe(NotConfigured):
    """The file cannot be changed without the risk of losing something in it; nothing was changed."""
