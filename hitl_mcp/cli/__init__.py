"""The command line: one module for each subject; importing them registers their commands."""

from hitl_mcp.cli import channels, config, keys, local, operate, people, record, review, serve, webhooks
from hitl_mcp.cli.group import main

__all__ = ["channels", "config", "keys", "local", "main", "operate", "people", "record", "review", "serve", "webhooks"]
