"""The story that every client goes through. Runs under any Python SDK; `story.mjs` tells the same in Node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import anyio

Wire = dict[str, Any]
"""A part of a message, with the names it has on the wire."""

GIVE_UP_SECONDS = 20.0


class Caller(Protocol):
    """A client, connected."""

    async def tools(self) -> list[Wire]:
        """The tools of the server."""
        ...

    async def call(self, name: str, arguments: Wire, heard: Callable[[str], None] | None = None) -> Wire:
        """Call a tool.

        Args:
            heard: takes the words of each progress notification.
        """
        ...


async def tell(client: Caller, held: Callable[[], Awaitable[None]] | None = None, *, leaves: bool = True) -> Wire:
    """Ask, and tell what came back.

    Args:
        leaves: whether the last call is left before it returns.
        held: returns once the server holds the last call, for a client that no progress reaches.
    """
    tools = await client.tools()
    progress: list[str] = []
    approved = await client.call(
        "request_human_approval", {"action": "Approve me", "wait_seconds": 60}, progress.append
    )
    rejected = await client.call("request_human_approval", {"action": "Reject me", "wait_seconds": 60})
    question = {"question": "Answer me", "response_type": "number", "response_config": {"max_value": 10}}
    handle = await client.call("ask_human", {**question, "wait_seconds": 0})
    checked = await client.call("check_request", {"request_id": _id(handle), "wait_seconds": 60})
    unwanted = await client.call("request_human_approval", {"action": "Withdraw me", "wait_seconds": 0})
    return {
        "tools": tools,
        "progress": progress,
        "approved": approved,
        "rejected": rejected,
        "handle": handle,
        "checked": checked,
        "withdrawn": await client.call("cancel_request", {"request_id": _id(unwanted)}),
        "refused": await client.call("check_request", {"request_id": "nonsense"}),
        "returned": await _give_up(client, held) if leaves else None,
        "listed": await client.call("list_requests", {}),
    }


async def _give_up(client: Caller, held: Callable[[], Awaitable[None]] | None) -> bool:
    """Leave a call once the server is known to hold it; whether it returned nevertheless."""
    returned = False

    async def call() -> None:
        nonlocal returned
        await client.call("request_human_approval", {"action": "Give me up", "wait_seconds": 60}, lambda _: heard.set())
        returned = True

    heard = anyio.Event()
    with anyio.fail_after(GIVE_UP_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await (heard.wait() if held is None else held())
            tasks.cancel_scope.cancel()
    return returned


def _id(result: Wire) -> str:
    return str(result["structuredContent"]["request_id"])
