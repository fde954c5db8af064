"""What tools that ask have in common: their arguments, and how a question is checked before it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field, ValidationError, WithJsonSchema

from hitl_mcp.contract.answers import CONFIGS, ResponseType, check_answer, first_fault, read_config
from hitl_mcp.contract.models import DEFERRED_TIMEOUT, MAX_TIMEOUT, MIN_TIMEOUT, NewRequest
from hitl_mcp.errors import AnswerRejected
from hitl_mcp.tools import wording

Wait = Annotated[float, Field(ge=0, le=3600, description=wording.WAIT)]
Seconds = Annotated[int, Field(ge=MIN_TIMEOUT, le=DEFERRED_TIMEOUT)]
Timeout = Annotated[Seconds, Field(description=wording.TIMEOUT)]
Urgency = Literal["low", "medium", "high", "critical"]
AnswerType = Annotated[ResponseType, WithJsonSchema({"type": "string", "enum": [kind.value for kind in CONFIGS]})]
"""The types that a model is told of; a form's configuration would cost every agent too much."""
Facts = Annotated[dict[str, Any] | None, Field(description=wording.CONTEXT)]


def deadline(seconds: int) -> dict[str, Any]:
    """The contract's two fields for a time to decide, in seconds."""
    kind = "time-sensitive" if seconds <= MAX_TIMEOUT else "deferred"
    return {"processing_type": kind, "timeout_seconds": seconds}


def checked_config(tool: str, response_type: ResponseType, config: dict[str, Any], default_response: Any) -> None:
    """Check a question's configuration and its default. Raises: ToolError with a configuration that works."""
    try:
        typed = read_config(response_type, config)
        if default_response is not None:
            check_answer(typed, default_response, "default_response")
    except AnswerRejected as fault:
        raise ToolError(f"{fault.field}: {fault.reason}. Correct it and call {tool} again.") from None


def new_request(names: Mapping[str, str] | None = None, /, **fields: Any) -> NewRequest:
    """The request to be made.

    Args:
        names: what the tool calls a field, where it is another word.

    Raises: ToolError, naming the argument at fault.
    """
    try:
        return NewRequest(**fields)
    except ValidationError as error:
        where, why = first_fault(error)
        name = ".".join((names or {}).get(part, part) for part in where)
        raise ToolError(f"{name or 'arguments'}: {why}. Correct it and call again.") from None
