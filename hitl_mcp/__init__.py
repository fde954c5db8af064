"""hitl_mcp: an agent asks, a person decides, the agent gets exactly that decision."""

__version__ = "0.1.0"
