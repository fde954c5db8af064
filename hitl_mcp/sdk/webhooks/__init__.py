"""The client's methods for registered webhooks. For receiving them see `hitl_mcp.webhooks`."""
