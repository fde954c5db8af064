"""All of the fixture, and the parts of the protocol that our server has no use for."""

from __future__ import annotations

from typing import Any

from mcp.types import EmptyResult, SetLevelRequestParams, SubscribeRequestParams, UnsubscribeRequestParams

from hitl_mcp.tools.server import HITLServer
from tests.matrix.conformance import content, dialogs, notifications, rounds


def add_fixture(server: HITLServer) -> None:
    """Add tools, resources, prompts and completion as the suite names them."""
    for part in (content, notifications, dialogs, rounds):
        part.add(server)

    async def accept(ctx: Any, params: Any) -> EmptyResult:
        return EmptyResult()

    server.lowlevel.add_request_handler("logging/setLevel", SetLevelRequestParams, accept)
    server.lowlevel.add_request_handler("resources/subscribe", SubscribeRequestParams, accept)
    server.lowlevel.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, accept)
