"""What a model reads when a call failed: what happened, and how to put it right."""

from __future__ import annotations

from pydantic import ValidationError

from hitl_mcp.contract.answers import first_fault


def explain(tool: str, cause: Exception) -> str:
    """A foreseen failure in our own words.

    Args:
        cause: a `ValidationError` of the arguments, or an error that says in its text what to do.
    """
    if isinstance(cause, ValidationError):
        where, why = first_fault(cause)
        return f"{'.'.join(where) or 'arguments'}: {why}. Correct it and call {tool} again."
    return str(cause)
