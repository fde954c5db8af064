"""The MCP server with its tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mcp.server.caching import CacheHint
from mcp.server.lowlevel import Server
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.types import (
    CallToolResult,
    GetPromptResult,
    Icon,
    InputRequiredResult,
    Prompt,
    Resource,
    ResourceTemplate,
    Tool,
)
from pydantic import AnyUrl, ValidationError

from hitl_mcp import __version__
from hitl_mcp.errors import HITLError
from hitl_mcp.tools.face import Face
from hitl_mcp.tools.rounds import StateKey, no_key, security
from hitl_mcp.tools.tasks import ReviewTasks
from hitl_mcp.tools.wording import ICON, INSTRUCTIONS, TITLE

if TYPE_CHECKING:
    from hitl_mcp.tools.desk import Reception

ToolSet = Literal["default", "compat"]
"""Which tools are served; `compat` are those of the official HITL.sh server."""
_UNCHANGING = CacheHint(ttl_ms=300_000, scope="public")
"""For what only another version of this package changes."""
_AT_ONCE = CacheHint(ttl_ms=0, scope="private")


class HITLServer(MCPServer["Reception"]):
    """The server, over whichever transport. Errors reach the model in words that say how to put things right.

    Tools, resources and prompts are made when they are first asked for, because making their schemas takes as long as a
    tenth of the start of a stdio server.

    Args:
        reception: opens the transport's side, for as long as the server runs.
        wait_seconds: how long a call waits when the agent does not say.
            The compat tools wait only where it does.
        merges: asking the same twice is one question (H3).
        tools: which tools are served; everything but tools belongs to the default ones.
        state_key: seals what a call leaves for its next round.
    """

    def __init__(
        self,
        reception: Callable[[], AbstractAsyncContextManager[Reception]],
        *,
        wait_seconds: float,
        merges: bool,
        tools: ToolSet = "default",
        state_key: StateKey = no_key,
    ) -> None:
        self._default = tools == "default"
        served = _default(wait_seconds, merges=merges) if self._default else _compat(merges=merges)
        self._explain = served.explain
        self._register: Callable[[HITLServer], None] | None = served.register
        bus = InMemorySubscriptionBus()
        super().__init__(
            "hitl-mcp",
            title=TITLE,
            instructions=served.instructions,
            icons=[Icon(src=ICON, mime_type="image/svg+xml", sizes=["any"])],
            version=__version__,
            extensions=[ReviewTasks()] if self._default else None,
            log_level="WARNING",
            lifespan=lambda _: reception(),
            request_state_security=security(state_key),
            cache_hints={
                "tools/list": _UNCHANGING,
                "prompts/list": _UNCHANGING,
                "resources/templates/list": _UNCHANGING,
                "resources/list": _AT_ONCE,
                "resources/read": _AT_ONCE,
            },
            subscriptions=bus,
        )
        if self._default:
            Face(bus).register(self._lowlevel_server)

    @property
    def lowlevel(self) -> Server[Any]:
        """What transports serve; MCPServer itself has no public way to a transport of one's own."""
        return self._lowlevel_server

    def _complete_tools(self) -> None:
        if self._register is not None:
            register, self._register = self._register, None
            register(self)

    async def list_tools(self) -> list[Tool]:
        """The tools, in as few words as a model needs."""
        self._complete_tools()
        tools = await super().list_tools()
        if not self._default:
            return tools
        from hitl_mcp.tools.schemas import published

        return [published(tool) for tool in tools]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Reception, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; every foreseen failure reaches the model in our own words."""
        self._complete_tools()
        from hitl_mcp.tools.refusals import unknown_argument

        if self._default and (tool := self._tool_manager.get_tool(name)) is not None:
            words = unknown_argument(name, arguments, tool.parameters.get("properties", {}))
            if words is not None:
                raise ToolError(words)
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError | HITLError | ToolError):
                raise ToolError(self._explain(name, cause)) from cause
            raise

    async def list_resources(self) -> list[Resource]:
        """What has an address of its own."""
        more = await super().list_resources()
        if not self._default:
            return more
        from hitl_mcp.tools import resources

        return [*resources.listed(), *more]

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """What is found by its id."""
        more = await super().list_resource_templates()
        if not self._default:
            return more
        from hitl_mcp.tools import resources

        return [*resources.templates(), *more]

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Reception, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """Read a resource. Raises: MCPError for what is not there, or is another caller's."""
        from hitl_mcp.tools import resources

        if context is None or not self._default or not str(uri).startswith(resources.SCHEME):
            return await super().read_resource(uri, context)
        content = await resources.read(str(uri), context)
        return [ReadResourceContents(content=content, mime_type=resources.JSON)]

    async def list_prompts(self) -> list[Prompt]:
        """The prompts that teach when and how to ask."""
        more = await super().list_prompts()
        if not self._default:
            return more
        from hitl_mcp.tools import prompts

        return [*prompts.listed(), *more]

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Reception, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """A prompt with its arguments. Raises: MCPError naming the argument at fault."""
        from hitl_mcp.tools import prompts

        if self._default and prompts.has(name):
            return prompts.rendered(name, arguments)
        return await super().get_prompt(name, arguments, context)


class _Served(NamedTuple):
    """A set of tools, with what goes to the model beside them."""

    instructions: str
    explain: Callable[[str, Exception], str]
    register: Callable[[HITLServer], None]


def _default(wait_seconds: float, *, merges: bool) -> _Served:
    def register(server: HITLServer) -> None:
        from hitl_mcp.tools import changing, requests, reviews

        reviews.register(server, wait_seconds, merges=merges)
        requests.register(server)
        changing.register(server)

    def words(tool: str, cause: Exception) -> str:
        from hitl_mcp.tools.refusals import explain

        return explain(tool, cause)

    return _Served(INSTRUCTIONS, words, register)


def _compat(*, merges: bool) -> _Served:
    from hitl_mcp.tools import compat  # only where it is served, because a stdio server must start fast

    return _Served(compat.INSTRUCTIONS, compat.explain, partial(compat.register, merges=merges))
