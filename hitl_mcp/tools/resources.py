"""Requests and loops as resources: JSON that a client can show, attach and watch. Only the caller's own requests."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, Resource, ResourceTemplate

from hitl_mcp.contract.models import Loop
from hitl_mcp.errors import BadRequest, HITLError, NotAllowed, NotFound
from hitl_mcp.tools.desk import Desk, Reception

SCHEME = "hitl://"
JSON = "application/json"
_LOOPS = f"{SCHEME}loops"
_REQUEST = f"{SCHEME}requests/"
REQUEST_TEMPLATE = f"{_REQUEST}{{request_id}}"
LOOP_TEMPLATE = f"{_LOOPS}/{{loop_id}}"


def listed() -> list[Resource]:
    """What has an address of its own."""
    return [
        Resource(
            uri=_LOOPS, name="loops", title="Loops", mime_type=JSON,
            description="The groups of people that questions can go to",
        )
    ]  # fmt: skip


def templates() -> list[ResourceTemplate]:
    """What is found by its id."""
    return [
        ResourceTemplate(
            uri_template=REQUEST_TEMPLATE, name="request", title="A request", mime_type=JSON,
            description="One of your requests: what was asked, where it stands, and the decision",
        ),
        ResourceTemplate(
            uri_template=LOOP_TEMPLATE, name="loop", title="A loop", mime_type=JSON,
            description="One loop with the names of its people",
        ),
    ]  # fmt: skip


def request_id_of(uri: str) -> str | None:
    """The request whose address this is."""
    return unquote(uri.removeprefix(_REQUEST)) if uri.startswith(_REQUEST) else None


async def read(uri: str, ctx: Context[Reception, Any]) -> str:
    """A resource as JSON.

    Raises: MCPError; another caller's request is not found.
    """
    with ctx.request_context.lifespan_context.desk() as desk:
        try:
            content = await _content(uri, desk, ctx)
        except (NotFound, NotAllowed, BadRequest):
            raise unknown(uri) from None
        except (HITLError, ToolError) as error:
            raise MCPError(INTERNAL_ERROR, str(error), {"uri": uri}) from error
    return json.dumps(content, ensure_ascii=False, indent=1)


def unknown(uri: str) -> MCPError:
    """The error for what is not there."""
    words = (
        f"There is no resource {uri[:200]} of yours. There are {_LOOPS}, {LOOP_TEMPLATE} and {REQUEST_TEMPLATE}; the "
        "tools list_loops and list_requests show the ids."
    )
    return MCPError(INVALID_PARAMS, words, {"uri": uri})


async def _content(uri: str, desk: Desk, ctx: Context[Reception, Any]) -> dict[str, Any]:
    if (request_id := request_id_of(uri)) is not None:
        request = await desk.known(request_id)
        result = await desk.result(ctx, request)  # whoever reads a decision has it, so it counts as handed over (H2)
        standing: dict[str, Any] = result.structured_content or {}
        return standing | {
            "loop_id": request.loop_id,
            "question": request.request_text,
            "response_type": request.response_type.value,
            "context": request.context,
            "priority": request.priority.value,
            "created_at": request.created_at.isoformat(),
        }
    if uri == _LOOPS:
        backend = await desk.client.backend()
        loops = [_loop(loop) for loop in await desk.client.list_loops()]
        return {"loops": loops, "backend": backend.name, "inbox": backend.inbox}
    if uri.startswith(f"{_LOOPS}/"):
        loop = await desk.client.get_loop(unquote(uri.removeprefix(f"{_LOOPS}/")))
        return _loop(loop) | {"people": [member.name for member in loop.members or () if member.name]}
    raise unknown(uri)


def _loop(loop: Loop) -> dict[str, Any]:
    return {
        "id": loop.id,
        "name": loop.name,
        "description": loop.description,
        "reviewers": loop.member_count,
        "open_requests": loop.pending_count,
    }
