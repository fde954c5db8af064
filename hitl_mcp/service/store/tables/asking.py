"""Requests, their event log, and what belongs to one."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from hitl_mcp.service.store.tables.base import ID, POSITION, metadata, only_where_set

requests = Table(
    "requests",
    metadata,
    Column("id", ID, primary_key=True),
    Column("loop_id", ID, ForeignKey("loops.id"), nullable=False),
    Column("creator_id", ID, ForeignKey("users.id"), nullable=False),
    Column("api_key_id", ID, ForeignKey("api_keys.id"), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("status", String(20), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("view_digest", String(64), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("processing_type", String(20), nullable=False),
    Column("type", String(20), nullable=False),
    Column("priority", String(20), nullable=False),
    Column("request_text", Text, nullable=False),
    Column("response_type", String(20), nullable=False),
    Column("response_config", Text, nullable=False),
    Column("default_response", Text, nullable=False),
    Column("context", Text),
    Column("platform", String(20), nullable=False),
    Column("platform_version", String(100)),
    Column("user_agent", String(200)),
    Column("timeout_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("claimed_by", ID, ForeignKey("users.id")),
    Column("claimed_at", BigInteger),
    Column("claim_expires_at", BigInteger),
    Column("cancelled_at", BigInteger),
    Column("response_by", ID, ForeignKey("users.id")),
    Column("response_at", BigInteger),
    Column("response_data", Text),
    Column("response_comment", Text),
    Column("response_channel", String(20)),
    Column("response_assurance", String(40)),
    Column("decided_revision", Integer),
    Column("first_delivered_at", BigInteger),
    Column("callback_url", String(2000)),
    Column("tags", Text),
    Column("media", Text),
    Column("dialect", String(20)),
    Column("due_at", BigInteger),
    Column("review", Text),
    Column("assigned_to", ID),
    Column("asked_back", Text),
    Column("similar", String(64)),
    Column("held_until", BigInteger),
    Column("held_answer", Text),
    Column("remind_at", BigInteger),
    Column("escalate_at", BigInteger),
    Column("escalation_level", Integer),
    Column("escalation", Text),
    Index("ix_requests_status_timeout_at", "status", "timeout_at"),
    Index("ix_requests_loop_id_status", "loop_id", "status"),
    Index("ix_requests_api_key_id_created_at", "api_key_id", "created_at"),
    only_where_set("ix_requests_held_until", "held_until"),
    only_where_set("ix_requests_remind_at", "remind_at"),
    only_where_set("ix_requests_escalate_at", "escalate_at"),
)
"""Beside the wire's fields: `assigned_to` is the member who is asked first; `asked_back` a reviewer's question to the
agent, and its answer, as JSON; `similar` what requests that differ in details have in common; `held_until` and
`held_answer` an answer that can still be taken back (H28); `remind_at` and `escalate_at` when the next of either is
due, null when none is; `escalation` where it stands on its loop's ladder, as JSON.
"""

events = Table(
    "events",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=True),
    Column("request_id", ID, ForeignKey("requests.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("type", String(40), nullable=False),
    Column("actor", String(80), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
    Column("data_hash", String(64), nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("request_id", "seq"),
    sqlite_autoincrement=True,
)

once_keys = Table(
    "once_keys",
    metadata,
    Column("api_key_id", ID, ForeignKey("api_keys.id"), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("request_id", ID, ForeignKey("requests.id"), nullable=False),
)
"""The same question once (D12): the newest request made with an idempotency key."""

media = Table(
    "media",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("content_type", String(40), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
"""Images as they were when the question was asked (H5)."""

request_media = Table(
    "request_media",
    metadata,
    Column("request_id", ID, ForeignKey("requests.id"), primary_key=True),
    Column("digest", String(64), ForeignKey("media.digest"), primary_key=True),
)

feedback = Table(
    "feedback",
    metadata,
    Column("request_id", ID, ForeignKey("requests.id"), primary_key=True),
    Column("id", ID, nullable=False),
    Column("data", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

templates = Table(
    "templates",
    metadata,
    Column("id", ID, primary_key=True),
    Column("owner_id", ID, ForeignKey("users.id"), nullable=False),
    Column("key", String(100)),
    Column("slug", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    Column("fields", Text, nullable=False),
    Column("loop_id", ID, ForeignKey("loops.id")),
    Column("settings", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("uq_templates_owner_id_key", "owner_id", "key", unique=True),
)
"""What reviews of one kind ask. `key` is an id of the author's own, in lower case."""

anchors = Table(
    "anchors",
    metadata,
    Column("id", POSITION, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("heads", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    sqlite_autoincrement=True,
)
"""A digest over the heads of all requests' chains at a moment, chained itself (H24)."""
