"""What a model reads when a call failed: what happened, and how to put it right."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from hitl_mcp.contract.answers import first_fault
from hitl_mcp.errors import NotAuthorised, Unreachable
from hitl_mcp.tools.wording import EXAMPLES, VALUES

_CHECKED_BY = "whoever set this MCP server up looks what is wrong with `hitl-mcp doctor`"


def explain(tool: str, cause: Exception) -> str:
    """A foreseen failure in our own words.

    Args:
        cause: a `ValidationError` of the arguments, or an error that says in its text what to do.
    """
    if isinstance(cause, ValidationError):
        where, why = first_fault(cause)
        return f"{'.'.join(where) or 'arguments'}: {why}. Correct it and call {tool} again{_example(tool, where)}"
    if isinstance(cause, NotAuthorised):
        done = "Nothing was done. Tell the user"
        return f"The API key is not accepted ({cause}). {done}: {_CHECKED_BY}, and sets a new key."
    if type(cause) is Unreachable:
        then = "Nothing was approved. Try again later; if it goes on, tell the user"
        return f"{str(cause).removesuffix('.')}. {then}: {_CHECKED_BY}."
    return str(cause)


def unknown_argument(tool: str, arguments: Mapping[str, Any], known: Iterable[str]) -> str | None:
    """The words for an argument that the tool does not have: ignored, it would be a question other than was meant."""
    names = list(known)
    wrong = next((name for name in arguments if name not in names), None)
    if wrong is None:
        return None
    close = get_close_matches(wrong, names, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    listed = ", ".join(names) or "none"
    again = f"Call it again{_example(tool, close)}"
    return f"{wrong[:80]}: {tool} has no such argument.{meant} Its arguments: {listed}. {again}"


def _example(tool: str, where: Sequence[str]) -> str:
    """A call that is well formed, with the argument at fault."""
    if tool not in EXAMPLES:
        return "."
    shown = EXAMPLES[tool] | {name: VALUES[name] for name in where[:1] if name in VALUES}
    return f", like {tool}({json.dumps(shown)})."
