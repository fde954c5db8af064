"""The schema, in types that SQLite and PostgreSQL share.

Times are integers (milliseconds since 1970, UTC). JSON is kept as canonical text, because hashes are taken over it and
a JSON column type may rewrite its bytes (H24).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_HEAD = "0003"
"""The newest migration; a test compares it with the migration folder."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ID = String(24)
_POSITION = BigInteger().with_variant(Integer, "sqlite")  # SQLite's AUTOINCREMENT wants exactly INTEGER

facts = Table("facts", metadata, Column("name", String(50), primary_key=True), Column("value", Text, nullable=False))
"""Single values: the commit counter, the ids of the local account."""

users = Table(
    "users",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("email", String(320)),
    Column("created_at", BigInteger, nullable=False),
    Index("uq_users_email", "email", unique=True),
)
"""People. An address is kept in lower case and belongs to one person."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("user_id", _ID, ForeignKey("users.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("key_hash", String(64)),
    Column("hint", String(20)),
    Column("scopes", Text),
    Column("loop_ids", Text),
    Column("revoked_at", BigInteger),
    Column("callback_secret", String(80)),
    Index("uq_api_keys_key_hash", "key_hash", unique=True),
)
"""Keys of agents and integrations. The data folder's own key has no hash: it is derived anew for each run.

`callback_secret` signs what is sent to the callbacks of this key's requests (H12); signing needs it as it is.
"""

loops = Table(
    "loops",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("description", String(500)),
    Column("icon", String(100), nullable=False),
    Column("creator_id", _ID, ForeignKey("users.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("archived_at", BigInteger),
    Column("allow_client_answers", Integer),
)
"""`allow_client_answers`: 1 or 0 as a person has set it; null: as the kind of service has it (H7)."""

members = Table(
    "members",
    metadata,
    Column("loop_id", _ID, ForeignKey("loops.id"), primary_key=True),
    Column("user_id", _ID, ForeignKey("users.id"), primary_key=True),
    Column("status", String(20), nullable=False),
    Column("joined_at", BigInteger),
    Column("invited_at", BigInteger),
    Column("invited_by", String(80)),
    Column("invite_code", String(20)),
)
"""Who answers for which loop. `pending` until a person of the loop confirms (H10)."""

invites = Table(
    "invites",
    metadata,
    Column("code", String(20), primary_key=True),
    Column("loop_id", _ID, ForeignKey("loops.id"), nullable=False),
    Column("issuer_id", _ID, ForeignKey("users.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_invites_loop_id", "loop_id"),
)
"""Codes that let a newcomer ask to join a loop."""

requests = Table(
    "requests",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("loop_id", _ID, ForeignKey("loops.id"), nullable=False),
    Column("creator_id", _ID, ForeignKey("users.id"), nullable=False),
    Column("api_key_id", _ID, ForeignKey("api_keys.id"), nullable=False),
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
    Column("claimed_by", _ID, ForeignKey("users.id")),
    Column("claimed_at", BigInteger),
    Column("claim_expires_at", BigInteger),
    Column("cancelled_at", BigInteger),
    Column("response_by", _ID, ForeignKey("users.id")),
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
    Index("ix_requests_status_timeout_at", "status", "timeout_at"),
    Index("ix_requests_loop_id_status", "loop_id", "status"),
    Index("ix_requests_api_key_id_created_at", "api_key_id", "created_at"),
)

events = Table(
    "events",
    metadata,
    Column("position", _POSITION, primary_key=True, autoincrement=True),
    Column("request_id", _ID, ForeignKey("requests.id"), nullable=False),
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
    Column("api_key_id", _ID, ForeignKey("api_keys.id"), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("request_id", _ID, ForeignKey("requests.id"), nullable=False),
)
"""The same question once (D12): the newest request made with an idempotency key."""

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("user_id", _ID, ForeignKey("users.id"), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", _ID, ForeignKey("users.id"), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

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
    Column("request_id", _ID, ForeignKey("requests.id"), primary_key=True),
    Column("digest", String(64), ForeignKey("media.digest"), primary_key=True),
)

feedback = Table(
    "feedback",
    metadata,
    Column("request_id", _ID, ForeignKey("requests.id"), primary_key=True),
    Column("id", _ID, nullable=False),
    Column("data", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

templates = Table(
    "templates",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("owner_id", _ID, ForeignKey("users.id"), nullable=False),
    Column("key", String(100)),
    Column("slug", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    Column("fields", Text, nullable=False),
    Column("loop_id", _ID, ForeignKey("loops.id")),
    Column("settings", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("uq_templates_owner_id_key", "owner_id", "key", unique=True),
)
"""What reviews of one kind ask. `key` is an id of the author's own, in lower case."""

rate_usage = Table(
    "rate_usage",
    metadata,
    Column("api_key_id", _ID, ForeignKey("api_keys.id"), primary_key=True),
    Column("hour", BigInteger, primary_key=True),
    Column("used", Integer, nullable=False),
)
"""Calls of a key within an hour, where the operator set a limit."""
