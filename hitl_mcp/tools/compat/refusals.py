"""Errors as the official server writes them, each followed by how to put it right (contract section 7.1)."""

from __future__ import annotations

from pydantic import ValidationError

from hitl_mcp.errors import BadRequest, Conflict, NotAllowed, NotAuthorised, NotFound, Refused, TooManyRequests
from hitl_mcp.tools import refusals

NO_TIMEOUT = (
    "timeout_seconds is required when processing_type is time-sensitive. Give how long people have in seconds, from 60 "
    "to 86400, or set processing_type to deferred."
)
NO_IMAGE = (
    "image_url is required when type is image. Give the http or https address of the image, or set type to markdown."
)
_MISSING = {
    "loop_id": "Loop ID is required. Call list_loops and give the id of one of them as loop_id.",
    "request_id": "request_id is required. Give the one that create_request returned; list_requests shows yours.",
    "updates": 'Provide at least one field to update. For example: {"updates": {"priority": "high"}}.',
    "feedback": 'Feedback cannot be empty. For example: {"feedback": {"rating": 5, "comment": "Helpful"}}.',
}
_OF_A_REQUEST = ("update_request", "cancel_request", "add_request_feedback")


def explain(tool: str, cause: Exception) -> str:
    """See `hitl_mcp.tools.refusals.explain`. What a backend refuses reads `<msg> (status <n>)`."""
    if isinstance(cause, ValidationError):
        fault = cause.errors(include_url=False)[0]
        name = str(fault["loc"][0]) if fault["loc"] else ""
        absent = fault["type"] == "missing" or fault["input"] in (None, "", {})
        if absent and len(fault["loc"]) == 1 and name in _MISSING:
            return _MISSING[name]
    if isinstance(cause, Refused):
        return f"{cause.message} (status {cause.status}). {_repair(tool, cause)}"
    return refusals.explain(tool, cause)


def _repair(tool: str, refused: Refused) -> str:
    match refused:
        case TooManyRequests():
            return f"{_budget(refused)}; then call {tool} again, with wait_seconds rather than again and again."
        case NotAuthorised():
            return "Have your user check the API key that this server is given (HITL_API_KEY)."
        case NotAllowed():
            return f"{_details(refused)}This API key may not do that; list_loops and list_requests show what it may."
        case NotFound():
            return f"Call {'list_loops' if tool == 'create_request' else 'list_requests'} and use an id that it shows."
        case Conflict():
            return f"{_details(refused)}Call get_request to see how it stands."
        case BadRequest() if tool in _OF_A_REQUEST and refused.field is None:
            return f"{_details(refused)}Call get_request to see how it stands."
        case BadRequest():
            return f"{_details(refused)}Correct it and call {tool} again."
        case _:
            return f"{_details(refused)}Nobody decided anything; see list_requests, then call {tool} again in a moment."


def _budget(refused: TooManyRequests) -> str:
    if refused.reset_at is not None:
        return f"The budget of calls comes back at {refused.reset_at:%Y-%m-%d %H:%M:%S} UTC"
    if refused.retry_after is not None:
        return f"The budget of calls comes back in {refused.retry_after:.0f} s"
    return "The budget of calls comes back within the hour"


def _details(refused: Refused) -> str:
    details = str(refused).removeprefix(refused.message).removeprefix(": ").rstrip(".")
    return f"{details}. " if details else ""
