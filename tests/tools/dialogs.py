"""MCP clients with a user in front of them: what the user does with a dialog is a function."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitRequestURLParams, ElicitResult

from hitl_mcp.sdk.aio import AsyncHITLClient
from tests.mcp_http import Transport, serving
from tests.tools.test_asking import reviewer_of
from tests.world import Era, Reviewer, environment, world

Deed = Callable[["User"], Awaitable[ElicitResult]]


@dataclass
class User:
    """Somebody in front of a client.

    Attributes:
        folder: of the service.
        does: what they do with a dialog.
        shown: the dialogs they were shown.
    """

    folder: Path
    does: Deed
    shown: list[ElicitRequestParams] = field(default_factory=list[ElicitRequestParams])

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        """The client's elicitation callback."""
        self.shown.append(params)
        return await self.does(self)

    @property
    def form(self) -> ElicitRequestFormParams:
        """The one form that was shown."""
        assert len(self.shown) == 1
        assert isinstance(self.shown[0], ElicitRequestFormParams)
        return self.shown[0]

    @property
    def page(self) -> ElicitRequestURLParams:
        """The one page that was offered."""
        assert len(self.shown) == 1
        assert isinstance(self.shown[0], ElicitRequestURLParams)
        return self.shown[0]

    async def in_the_inbox(self) -> Reviewer:
        """The same person, signed in."""
        return await reviewer_of(self.folder)


def accepting(answer: Any, **more: Any) -> Deed:
    """Fills in the form."""

    async def does(user: User) -> ElicitResult:
        return ElicitResult(action="accept", content={"answer": answer, **more})

    return does


def doing(action: Literal["accept", "decline", "cancel"]) -> Deed:
    """Declines, dismisses, or accepts without a word."""

    async def does(user: User) -> ElicitResult:
        return ElicitResult(action=action)

    return does


@asynccontextmanager
async def user_client(
    user: User, transport: Transport, era: Era = "auto", *, round_seconds: float = 40, **more: Any
) -> AsyncGenerator[Client]:
    """A real MCP client that declares dialogs.

    Args:
        round_seconds: how long one request waits.
        more: arguments of `Client`.
    """
    if transport == "stdio":
        variables = environment(user.folder, HITL_ROUND_SECONDS=str(round_seconds))
        server = StdioServerParameters(command=sys.executable, args=["-m", "hitl_mcp"], env=variables)
        async with Client(server, mode=era, elicitation_callback=user, **more) as client:
            yield client
        return
    async with (
        world(user.folder) as here,
        serving(here, round_seconds=round_seconds) as served,
        served.client(transport, era, elicitation_callback=user, **more) as client,
    ):
        yield client


async def requests_of(agent: AsyncHITLClient) -> list[str]:
    """The ids of all that the agent asked."""
    return [request.id for request in await agent.list_requests()]
