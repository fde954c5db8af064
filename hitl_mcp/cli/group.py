"""The group of commands. Errors are one sentence on stderr and exit code 2."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio
import click

from hitl_mcp import __version__
from hitl_mcp.errors import HITLError
from hitl_mcp.settings import Settings, read_settings
from hitl_mcp.terminal import visible

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work to its end."""

    async def main() -> T:
        return await work

    return anyio.run(main)


def local_settings(command: str) -> Settings:
    """The settings, for a command that works with the local service. Raises: NotConfigured."""
    from hitl_mcp.sdk.choosing import need_local

    settings = read_settings()
    need_local(settings, command)
    return settings


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HITLError as error:
            raise _Failure(visible(str(error))) from None  # a backend may have a say in it


class _Failure(click.ClickException):
    exit_code = 2


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hitl-mcp")
def main() -> None:
    """Put a person into an AI agent's loop.

    Without a command this is the MCP server on stdin and stdout, started by your MCP client.
    """
