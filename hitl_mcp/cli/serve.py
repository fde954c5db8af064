"""The team's server."""

from __future__ import annotations

import click

from hitl_mcp.cli.group import main
from hitl_mcp.settings import read_settings


@main.command()
@click.option("--host", help="Address to listen on (HITL_HOST); 0.0.0.0 for every interface.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (HITL_PORT); 8000 by default.")
def serve(host: str | None, port: int | None) -> None:
    """Serve a team: API, inbox and MCP over HTTP, on SQLite or on HITL_DATABASE_URL."""
    from hitl_mcp.serving import serve as run_server

    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    run_server(read_settings().model_copy(update=given))
