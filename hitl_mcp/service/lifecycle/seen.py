"""What a reviewer decides on, as one digest (H4)."""

from __future__ import annotations

from typing import Any

from hitl_mcp.contract.text import digest

_SEEN = ("kind", "type", "request_text", "context", "response_type", "response_config", "default_response", "media")


def view_digest(loop_id: str, api_key_id: str, client: str | None, fields: dict[str, Any]) -> str:
    """SHA-256 over everything a reviewer decides on.

    Args:
        client: which program asked, in its own words.
        fields: the request's columns.
    """
    shown = {name: fields[name] for name in _SEEN}
    if fields.get("asked_back") is not None:  # so that the digest of what nobody asked back about stays what it was
        shown["asked_back"] = fields["asked_back"]
    return digest({"loop_id": loop_id, "requester": [api_key_id, client], **shown})
