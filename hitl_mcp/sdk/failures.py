"""From a response to its data, or to the right error (contract section 1.3)."""

from __future__ import annotations

from typing import Any, cast

from pydantic_core import from_json

from hitl_mcp.errors import ContractBroken, refusal


def envelope_data(status: int, body: bytes) -> Any:
    """The `data` of a successful answer. A 408 of the long poll is a success that says `pending`.

    Raises: a Refused subclass for an answer that says no, ContractBroken for one that cannot be read.
    """
    if 300 <= status < 400:
        raise ContractBroken(
            f"The backend points to another address (status {status}), which was not followed, because the key would "
            "go there too. Set HITL_BASE_URL to the address at which the backend itself answers."
        )
    try:
        parsed = from_json(body)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        if status >= 400:
            raise refusal(status, f"The backend answered with status {status} and no readable text")
        raise ContractBroken("The backend's answer is not JSON. It was not taken for a decision.")
    envelope = cast("dict[str, Any]", parsed)
    error = envelope.get("error")
    if error is False and (status < 400 or status == 408):
        return envelope.get("data")
    message = envelope.get("msg")
    text = message if isinstance(message, str) and message else f"The backend answered with status {status}"
    if error is not True and status < 400:
        raise ContractBroken("The backend's answer has no envelope. It was not taken for a decision.")
    raise refusal(status if status >= 400 else 400, text, envelope.get("data"))
