"""Ring 2: the MCP face. Each tool is a few calls of the client; no state of a request lives here."""
