"""Tools that ask the client while they run, as handshake revisions allow: elicitation and sampling."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server.mcpserver import AcceptedElicitation, Context
from mcp.types import SamplingMessage, TextContent
from pydantic import BaseModel, Field

from hitl_mcp.tools.server import HITLServer
from tests.matrix.conformance.content import ABOUT

Ctx = Context[Any, Any]

_TITLES = [
    {"const": f"value{at}", "title": f"{name} Option"} for at, name in enumerate(("First", "Second", "Third"), 1)
]
_CHOICES = [
    {"const": f"value{at}", "title": f"{name} Choice"} for at, name in enumerate(("First", "Second", "Third"), 1)
]
_PLAIN = ["option1", "option2", "option3"]
_LEGACY = {"enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]}
ENUMS: dict[str, Any] = {
    "type": "object",
    "required": [],
    "properties": {
        "untitledSingle": {"type": "string", "enum": _PLAIN},
        "titledSingle": {"type": "string", "oneOf": _TITLES},
        "legacyEnum": {"type": "string", **_LEGACY},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _PLAIN}},
        "titledMulti": {"type": "array", "items": {"anyOf": _CHOICES}},
    },
}


class Person(BaseModel):
    """A form without defaults."""

    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


class Defaults(BaseModel):
    """A form with a default of each primitive type."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Annotated[str, Field(json_schema_extra={"enum": ["active", "inactive", "pending"]})] = "active"
    verified: bool = True


def add(server: HITLServer) -> None:
    """Add them."""

    async def elicitation(message: str, ctx: Ctx) -> str:
        answer = await ctx.elicit(message, Person)
        content = answer.data if isinstance(answer, AcceptedElicitation) else None
        return f"User response: action={answer.action}, content={content}"

    async def defaults(ctx: Ctx) -> str:
        return f"Elicitation completed: action={(await ctx.elicit('Please review', Defaults)).action}"

    async def enums(ctx: Ctx) -> str:
        answer = await ctx.session.elicit_form("Please choose", ENUMS, ctx.request_id)
        return f"Elicitation completed: action={answer.action}"

    async def sampling(prompt: str, ctx: Ctx) -> str:
        said = [SamplingMessage(role="user", content=TextContent(type="text", text=prompt))]
        sampled = ctx.session.create_message(  # pyright: ignore[reportDeprecated]  # the suite asks for it nevertheless
            said, max_tokens=100, related_request_id=ctx.request_id
        )
        answer = await sampled
        return f"LLM response: {getattr(answer.content, 'text', '')}"

    for name, tool in {
        "test_elicitation": elicitation,
        "test_elicitation_sep1034_defaults": defaults,
        "test_elicitation_sep1330_enums": enums,
        "test_sampling": sampling,
    }.items():
        server.add_tool(tool, name=name, description=ABOUT)
