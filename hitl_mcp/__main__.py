"""`python -m hitl_mcp`: without arguments the stdio MCP server, which must start fast; else the command line."""

from __future__ import annotations

import sys


def main() -> int:
    """Run what the arguments say; the exit code."""
    match sys.argv[1:]:
        case []:
            from hitl_mcp.stdio import main as serve

            return serve()
        case ["service"]:
            from hitl_mcp.background import main as run_service

            return run_service()
        case _:
            from hitl_mcp.cli import main as command

            return command()


if __name__ == "__main__":
    sys.exit(main())
