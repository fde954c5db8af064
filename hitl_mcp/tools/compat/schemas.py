"""The two inputs that are objects of their own, as the model sees them."""

from __future__ import annotations

from typing import Any

from hitl_mcp.contract.models import MAX_REQUEST_TEXT
from hitl_mcp.contract.states import Priority
from hitl_mcp.tools.compat import wording

_MARK = {"type": "number", "minimum": 1, "maximum": 5}
_TEXTS = {"type": "array", "items": {"type": "string"}}

FEEDBACK: dict[str, Any] = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": True,
    "properties": {
        "rating": _MARK,
        "accuracy": _MARK,
        "timeliness": _MARK,
        "helpfulness": _MARK,
        "comment": {"type": "string", "maxLength": 1000},
        "would_recommend": {"type": "boolean"},
        "tags": _TEXTS,
        "follow_up_needed": {"type": "boolean"},
        "category": {"enum": ["positive", "constructive", "issue"]},
    },
}
UPDATES: dict[str, Any] = {
    "type": "object",
    "description": wording.UPDATES,
    "minProperties": 1,
    "additionalProperties": False,
    "properties": {
        "request_text": {"type": "string", "minLength": 1, "maxLength": MAX_REQUEST_TEXT},
        "priority": {"enum": [priority.value for priority in Priority]},
        "context": {"type": "object"},
        "timeout_seconds": {"type": "integer", "minimum": 60},
        "response_config": {"type": "object", "description": "As for create_request, of the same response_type"},
        "default_response": {},
        "callback_url": {"type": "string"},
        "tags": _TEXTS,
    },
}
"""What the API can change once it is asked (contract section 2.6)."""
CHANGEABLE = (*UPDATES["properties"], "reviewer_answer")
