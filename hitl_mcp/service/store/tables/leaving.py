"""What leaves the service, and where to."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, text

from hitl_mcp.service.store.tables.base import ID, POSITION, metadata

channels = Table(
    "channels",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user_id", ID, ForeignKey("users.id"), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("name", String(200), nullable=False),
    Column("address", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("enabled", Integer, nullable=False),
    Column("shows_text", Integer),
    Column("last_sent_at", BigInteger),
    Column("failed_at", BigInteger),
    Column("fault", String(500)),
    Column("failures", Integer),
    Index("ix_channels_user_id", "user_id"),
)
"""Where a person is told. `kind`: `apprise` (an URL) or `webpush` (a browser's subscription, as JSON).

`shows_text`: 1 where a message may quote the question's first line; null or 0 where it says nothing of it. `failures`
counts failed messages since the last that arrived.
"""

endpoints = Table(
    "endpoints",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user_id", ID, ForeignKey("users.id"), nullable=False),
    Column("api_key_id", ID, ForeignKey("api_keys.id")),
    Column("loop_id", ID, ForeignKey("loops.id")),
    Column("url", String(2000), nullable=False),
    Column("events", Text, nullable=False),
    Column("description", String(500)),
    Column("secret", String(200), nullable=False),
    Column("former_secret", String(200)),
    Column("former_until", BigInteger),
    Column("enabled", Integer, nullable=False),
    Column("disabled_why", String(500)),
    Column("failing_since", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_endpoints_user_id", "user_id"),
    Index("ix_endpoints_loop_id", "loop_id"),
)
"""Registered webhooks. A secret is kept as it is, because signing needs it; `former_secret` signs too for a while."""

_WAITING = text("state = 'waiting'")

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", POSITION, primary_key=True, autoincrement=True),
    Column("kind", String(20), nullable=False),
    Column("target", String(80), nullable=False),
    Column("line", String(170), nullable=False),
    Column("event_id", String(80), nullable=False),
    Column("event", String(40), nullable=False),
    Column("request_id", ID, ForeignKey("requests.id")),
    Column("seq", Integer),
    Column("body", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),
    Column("due_at", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("lease_until", BigInteger),
    Column("fence", Integer, nullable=False),
    Column("done_at", BigInteger),
    Column("fault", String(500)),
    Index("ix_deliveries_target_due_at", "target", "due_at", sqlite_where=_WAITING, postgresql_where=_WAITING),
    Index("ix_deliveries_waiting", "line", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
    Index("ix_deliveries_line_id", "line", "id"),
    Index("ix_deliveries_target_id", "target", "id"),
    Index("ix_deliveries_request_id", "request_id"),
    sqlite_autoincrement=True,
)
"""What is to leave the service, written in the transaction of what it tells of (D6, H23).

`kind` says who sends it (`webhook`, `message`); `target` is the endpoint, key or channel; `line` is what stays in order
(an endpoint and a request). `state`: `waiting`, `done`, `failed` (given up) or `dropped`. A worker takes a row by a
lease and raises `fence`; whoever lost the lease can no longer write (H29).
"""

attempts = Table(
    "attempts",
    metadata,
    Column("id", POSITION, primary_key=True, autoincrement=True),
    Column("delivery_id", POSITION, ForeignKey("deliveries.id"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Column("status", Integer),
    Column("excerpt", String(1000)),
    Index("ix_attempts_delivery_id", "delivery_id"),
    sqlite_autoincrement=True,
)
"""Every attempt at a delivery: what came back, or in `excerpt` why nothing did."""
