"""The only place where a request changes state. Every change is a guarded update with an event beside it (D5, D6)."""

from hitl_mcp.service.lifecycle.lifecycle import Lifecycle

__all__ = ["Lifecycle"]
