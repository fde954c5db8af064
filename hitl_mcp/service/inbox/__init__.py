"""Where a person reads what an agent asks and decides: server-rendered pages that work without script (D16)."""

from hitl_mcp.service.inbox.app import create_inbox
from hitl_mcp.service.inbox.doorstep import create_doorstep

__all__ = ["create_doorstep", "create_inbox"]
