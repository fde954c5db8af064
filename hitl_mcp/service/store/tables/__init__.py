"""The schema, in types that SQLite and PostgreSQL share.

Times are integers (milliseconds since 1970, UTC). JSON is kept as canonical text, because hashes are taken over it and
a JSON column type may rewrite its bytes (H24).
"""

from __future__ import annotations

from hitl_mcp.service.store.tables.asking import (
    anchors,
    events,
    feedback,
    media,
    once_keys,
    request_media,
    requests,
    templates,
)
from hitl_mcp.service.store.tables.base import metadata
from hitl_mcp.service.store.tables.leaving import attempts, channels, deliveries, endpoints
from hitl_mcp.service.store.tables.people import (
    access_tokens,
    api_keys,
    facts,
    guesses,
    invites,
    loops,
    members,
    rate_usage,
    sessions,
    sign_ins,
    users,
)

SCHEMA_HEAD = "0004"
"""The newest migration; a test compares it with the migration folder."""

__all__ = [
    "SCHEMA_HEAD",
    "access_tokens",
    "anchors",
    "api_keys",
    "attempts",
    "channels",
    "deliveries",
    "endpoints",
    "events",
    "facts",
    "feedback",
    "guesses",
    "invites",
    "loops",
    "media",
    "members",
    "metadata",
    "once_keys",
    "rate_usage",
    "request_media",
    "requests",
    "sessions",
    "sign_ins",
    "templates",
    "users",
]
