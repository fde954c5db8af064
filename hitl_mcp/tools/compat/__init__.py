"""The seven tools of the official HITL.sh MCP server (contract section 7.1), served with `HITL_TOOLS=compat`.

Names, inputs and results are the documented ones, so that prompts and programs written for that server go on working.
What they lack stands beside: waiting, typed configurations, an outcome, and errors that say what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hitl_mcp.tools.compat import asking, looking
from hitl_mcp.tools.compat.refusals import explain
from hitl_mcp.tools.compat.wording import INSTRUCTIONS

if TYPE_CHECKING:
    from hitl_mcp.tools.server import HITLServer

__all__ = ["INSTRUCTIONS", "explain", "register"]


def register(server: HITLServer, *, merges: bool) -> None:
    """Add the tools to the server, in the documented order.

    Args:
        merges: asking the same twice is one question (H3).
    """
    looking.register_loops(server)
    asking.register_create(server, merges=merges)
    looking.register_requests(server)
    asking.register_changes(server)
