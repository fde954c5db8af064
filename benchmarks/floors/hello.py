"""Floor of `cold_start`: the SDK's own server with one tool over stdio."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("hello")


@server.tool()
async def hello(name: str) -> str:
    """Greet somebody."""
    return f"Hello, {name}"


if __name__ == "__main__":
    server.run("stdio")
