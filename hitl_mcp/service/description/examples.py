"""Examples with real words: of what is sent, of single fields, and of whole replies put together from fields."""

from __future__ import annotations

from typing import Any, cast

from hitl_mcp.contract.answers import EXAMPLES as CONFIGS
from hitl_mcp.contract.answers import ResponseType
from hitl_mcp.contract.outcome import APPROVAL_CONFIG

Json = dict[str, Any]

REQUEST_ID = "66f1c0a94be2d17c5a3e8b90"
LOOP_ID = "66f1bf3e0c9d4a7725e1f0aa"
USER_ID = "66f1bf3e0c9d4a7725e1f0ab"

_TEXTS: dict[ResponseType, str] = {
    ResponseType.SINGLE_SELECT: "Which colour should the button have?",
    ResponseType.MULTI_SELECT: "Which of these shall I set up first?",
    ResponseType.RATING: "How good is this summary?",
    ResponseType.NUMBER: "How many replicas shall I start?",
    ResponseType.TEXT: "What should the release note say?",
    ResponseType.BOOLEAN: "Is the customer's address still right?",
    ResponseType.EDITABLE_TEXT: "Please correct this reply before I send it.",
    ResponseType.FORM: "Please check this article before it goes out.",
}
_DEFAULTS: dict[ResponseType, Any] = {
    ResponseType.SINGLE_SELECT: "Blue",
    ResponseType.MULTI_SELECT: [],
    ResponseType.RATING: 3,
    ResponseType.NUMBER: 0,
    ResponseType.TEXT: "",
    ResponseType.BOOLEAN: False,
    ResponseType.EDITABLE_TEXT: "Dear customer, ...",
    ResponseType.FORM: {"approved": False},
}


def _named(summary: str, value: Json) -> Json:
    return {"summary": summary, "value": value}


def _questions() -> dict[str, Json]:
    found: dict[str, Json] = {
        "approval": _named(
            "An approval: Approve, Reject or Needs Changes",
            {"kind": "approval", "request_text": "May I delete the 214 users who never signed in?", "priority": "high"},
        )
    }
    for kind, config in CONFIGS.items():
        value = {
            "processing_type": "time-sensitive",
            "timeout_seconds": 3600,
            "request_text": _TEXTS[kind],
            "response_type": kind.value,
            "response_config": config,
            "default_response": _DEFAULTS[kind],
        }
        found[kind.value] = _named(f"A question answered by {kind.value}", value)
    first = {"content": "May I publish this article?", "content_type": "text", "priority": "normal"}
    found["first_generation"] = _named("A body of the first generation", first)
    return found


def _only(summary: str, value: Json) -> dict[str, Json]:
    return {"example": _named(summary, value)}


_TEMPLATE_FIELDS: list[Json] = [
    {"name": "text", "type": "rich_text", "label": "Text", "required": True},
    {"name": "approved", "type": "boolean", "label": "May it go out?", "required": True},
]
BODIES: dict[str, dict[str, Json]] = {
    "create_request": _questions(),
    "update_request": _only("More urgent", {"priority": "critical", "context": {"users": 214}}),
    "add_feedback": _only("A good answer", {"feedback": {"rating": 5, "comment": "Quick and clear"}}),
    "create_loop": _only("A loop", {"name": "Deployments", "icon": "shield-check", "description": "What goes live"}),
    "update_loop": _only("Another name", {"name": "Releases"}),
    "create_template": _only("A form of two fields", {"name": "Content review", "fields": _TEMPLATE_FIELDS}),
    "create_webhook": _only(
        "What ends", {"url": "https://example.com/hitl", "events": ["request.*", "!request.claimed"]}
    ),
    "update_webhook": _only("Fewer events", {"events": ["request.completed"]}),
    "replace_webhook": _only("Off for a while", {"enabled": False}),
    "rotate_webhook": _only("Both secrets sign for an hour", {"overlap_seconds": 3600}),
    "redeliver": _only("All since a time", {"since": "2026-03-02T09:30:00Z"}),
    "allow_outgoing": _only("A local n8n", {"address": "127.0.0.1:5678"}),
    "update_template": _only("Another name", {"name": "Article review"}),
    "invite_member": _only("A person", {"email": "grace@example.com", "name": "Grace"}),
    "answer_in_client": _only("An approval", {"response_data": "approve", "revision": 1}),
    "reassign": _only("To Grace", {"user_id": USER_ID, "note": "You know this customer"}),
    "escalate": _only("A reason", {"reason": "Above my limit"}),
    "ask_back": _only("A question", {"question": "Which region is meant?"}),
    "respond": _only("An approval", {"response_data": "approve", "revision": 1, "comment": "Go ahead"}),
    "add_channel": _only("A topic of ntfy", {"address": "ntfys://ntfy.sh/YOUR-SECRET-TOPIC", "name": "Phone"}),
    "create_sign_in": _only("For the service's owner", {"typed": True}),
    "create_session": _only("A code", {"code": "K7QX-M2PA"}),
    "open_inbox": _only("Show one request first", {"request_id": REQUEST_ID}),
    "create_token": _only("A token for one page", {"expires_in": 600, "loop_ids": [LOOP_ID]}),
    "run_retention": _only("Count first", {"dry_run": True}),
    "create_backup": _only("A new file", {"path": "/srv/backups/hitl.db"}),
    "add_person": _only("A person", {"name": "Grace Hopper", "email": "grace@example.com"}),
    "create_key": _only("A key for one agent", {"name": "release agent", "scopes": ["loops:read", "requests:write"]}),
}
"""What is sent, by operation."""

FIELDS: Json = {
    "msg": "Request retrieved successfully",
    "id": REQUEST_ID,
    "request_id": REQUEST_ID,
    "loop_id": LOOP_ID,
    "creator_id": USER_ID,
    "user_id": USER_ID,
    "api_key_id": "66f1bf3e0c9d4a7725e1f0ac",
    "request_text": "May I delete the 214 users who never signed in?",
    "kind": "approval",
    "priority": "high",
    "processing_type": "deferred",
    "type": "markdown",
    "platform": "api",
    "response_config": APPROVAL_CONFIG,
    "default_response": "reject",
    "context": {"users": 214},
    "polling_url": f"/v1/api/requests/{REQUEST_ID}",
    "notes": [],
    "images": [],
    "name": "Deployments",
    "icon": "shield-check",
    "email": "grace@example.com",
    "person": "grace@example.com",
    "role": "member",
    "broadcasted_to": 2,
    "member_count": 2,
    "invite_code": "ABC123DEF",
    "qr_code_base64": "data:image/png;base64,iVBORw0KGgo=",
    "qr_code_url": "https://review.example.com/qr/ABC123DEF.png",
    "join_url": "https://review.example.com/join/ABC123DEF",
    "base_url": "https://review.example.com",
    "inbox": "https://review.example.com",
    "address": "https://review.example.com/sign-in",
    "feedback": {"rating": 5, "comment": "Quick and clear"},
    "hint": "hitl_live_Vb3xQ...",
    "key": "hitl_live_Vb3xQ-an-example-and-no-key",
    "callback_secret": "whsec_YW4tZXhhbXBsZS1hbmQtbm8tc2VjcmV0",
    "access_token": "hitl_token_an-example-and-no-token",
    "token": "an-example-and-no-token",
    "code": "K7QX-M2PA",
    "actor": "agent",
    "version": "1.0.0",
    "path": "/srv/backups/hitl.db",
    "instance": "5b1e0c7a9d42f683",
    "permissions": ["loops:read", "requests:read", "requests:write"],
    "scopes": ["loops:read", "requests:read", "requests:write"],
    "url": "https://example.com/hitl",
    "secret": "whsec_YW4tZXhhbXBsZS1hbmQtbm8tc2VjcmV0",
    "event_id": f"evt_{REQUEST_ID}_4",
    "note": "Pending: an active member of the loop confirms on the inbox's People page.",
}
"""Values of fields by name. A value that does not fit a field's schema is passed over."""

_MOMENT = "2026-03-02T09:30:00Z"
_PLAIN: Json = {"string": "text", "integer": 1, "number": 1.5, "boolean": False, "null": None}
_GRACE: Json = {"id": USER_ID, "name": "Grace"}
_MODELS: dict[str, Json] = {
    "Member": _GRACE,
    "Reviewer": _GRACE,
    "Loop": {"id": LOOP_ID},
    "Webhook": {"id": "66f1bf3e0c9d4a7725e1f0ad", "events": ["request.*", "!request.claimed"]},
    "Delivered": {"id": 7, "event": "request.completed", "state": "done"},
    "KeptTemplate": {"name": "Content review", "slug": "content_review", "fields": _TEMPLATE_FIELDS, "key": None},
    "Key": {"id": "66f1bf3e0c9d4a7725e1f0ac", "name": "release agent"},
    "NewKeyMade": {"id": "66f1bf3e0c9d4a7725e1f0ac", "name": "release agent"},
}
"""What differs within one model."""

ANSWERED: Json = {
    "status": "completed",
    "decision": "approved",
    "response_data": "approve",
    "response_by": USER_ID,
    "response_by_user": _GRACE,
    "response_at": _MOMENT,
    "response_comment": "Go ahead",
    "response_channel": "inbox",
    "response_assurance": "signed_in",
    "response_time_seconds": 42.5,
    "decided_revision": 1,
    "source": "human",
    "response": "approve",
    "comment": "Go ahead",
}
"""Fields of a request that a person has approved."""
BY_CLIENT: Json = ANSWERED | {"response_channel": "client", "response_assurance": "client_asserted"}
"""The same where the MCP client passed the answer on."""
CLAIMED: Json = {"status": "claimed", "claimed_by": USER_ID, "claimed_by_user": _GRACE, "claimed_at": _MOMENT}
CANCELLED: Json = {"status": "cancelled", "cancelled_at": _MOMENT}


def sample(schema: Json, components: Json, fields: Json, name: str = "") -> Any:
    """A value that fits a schema of ours.

    Args:
        components: the schemas that `$ref` names.
        fields: values by name.
        name: the field it is for.
    """
    if "$ref" in schema:
        model = str(schema["$ref"]).rsplit("/", 1)[-1]
        schema, fields = components[model], fields | _MODELS.get(model, {})
    branches = cast("list[Json]", schema.get("anyOf", ()))
    if branches:
        nullable = any(branch.get("type") == "null" for branch in branches)
        return None if nullable and name not in fields else sample(branches[0], components, fields, name)
    if "const" in schema:
        return schema["const"]
    if name in fields and _fits(fields[name], schema):
        return fields[name]
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        inner = cast("dict[str, Json]", schema.get("properties", {}))
        return {key: sample(value, components, fields, key) for key, value in inner.items()}
    if kind == "array":
        return [sample(schema["items"], components, fields)]
    return _MOMENT if schema.get("format") == "date-time" else _PLAIN.get(str(kind))


_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
}  # fmt: skip


def _fits(value: Any, schema: Json) -> bool:
    if "enum" in schema:
        return value in schema["enum"]
    if "type" not in schema:
        return True
    if schema["type"] == "object":
        return isinstance(value, dict) and "properties" not in schema
    return isinstance(value, _TYPES.get(str(schema["type"]), ()))
