"""Accounts, keys, loops and who belongs to them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from hitl_mcp.service.store.tables.base import ID, POSITION, metadata

facts = Table("facts", metadata, Column("name", String(50), primary_key=True), Column("value", Text, nullable=False))
"""Single values: the commit counter, the ids of the local account."""

users = Table(
    "users",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("email", String(320)),
    Column("created_at", BigInteger, nullable=False),
    Column("password_hash", Text),
    Column("time_zone", String(64)),
    Column("quiet_from", Integer),
    Column("quiet_until", Integer),
    Column("breaks_quiet", String(20)),
    Column("reminders", Integer),
    Index("uq_users_email", "email", unique=True),
)
"""People. An address is kept in lower case and belongs to one person.

`quiet_from` and `quiet_until` are minutes of the person's own day; `breaks_quiet` is the least priority that is told
all the same; null: critical. `reminders` is 0 for who wants none before a deadline.
"""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user_id", ID, ForeignKey("users.id"), nullable=False),
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

access_tokens = Table(
    "access_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("api_key_id", ID, ForeignKey("api_keys.id"), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("loop_ids", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_access_tokens_expires_at", "expires_at"),
)
"""Short-lived tokens that stand for an API key where the key itself must not be, as in a browser page."""

loops = Table(
    "loops",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("description", String(500)),
    Column("icon", String(100), nullable=False),
    Column("creator_id", ID, ForeignKey("users.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("archived_at", BigInteger),
    Column("allow_client_answers", Integer),
    Column("guidelines", Text),
    Column("undo_seconds", Integer),
    Column("ladder", Text),
)
"""`allow_client_answers`: 1 or 0 as a person has set it; null: as the kind of service has it (H7).

`guidelines` is shown to reviewers beside each request; `undo_seconds` is how long an answer is held so that its person
can take it back (H28); `ladder` is how a request that nobody answers climbs, as JSON. Only people set them (H9).
"""

members = Table(
    "members",
    metadata,
    Column("loop_id", ID, ForeignKey("loops.id"), primary_key=True),
    Column("user_id", ID, ForeignKey("users.id"), primary_key=True),
    Column("status", String(20), nullable=False),
    Column("joined_at", BigInteger),
    Column("invited_at", BigInteger),
    Column("invited_by", String(80)),
    Column("invite_code", String(20)),
    Column("role", String(20)),
    Column("notify_from", String(20)),
)
"""Who answers for which loop. `pending` until a person of the loop confirms (H10).

`role`: `owner`, `reviewer` or `viewer`; null: a reviewer. `notify_from` is the least priority that this person is told
of in this loop, or `none`; null: everything.
"""

invites = Table(
    "invites",
    metadata,
    Column("code", String(20), primary_key=True),
    Column("loop_id", ID, ForeignKey("loops.id"), nullable=False),
    Column("issuer_id", ID, ForeignKey("users.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("email", String(320)),
    Column("role", String(20)),
    Index("ix_invites_loop_id", "loop_id"),
)
"""Codes that let a newcomer ask to join a loop; one with an address is for that person, who was sent it."""

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("user_id", ID, ForeignKey("users.id"), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("purpose", String(20)),
)
"""One-time codes and links. `purpose` is null for a sign-in by the terminal's code."""

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", ID, ForeignKey("users.id"), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("id", ID),
    Column("device", String(200)),
    Column("seen_at", BigInteger),
    Index("ix_sessions_user_id", "user_id"),
)
"""`id` names a session in its person's list, because its token is a secret."""

guesses = Table(
    "guesses",
    metadata,
    Column("id", POSITION, primary_key=True, autoincrement=True),
    Column("about", String(80), nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("ix_guesses_about_at", "about", "at"),
)
"""Wrong passwords and codes, by what was guessed at (a hash), so that every process counts the same."""

rate_usage = Table(
    "rate_usage",
    metadata,
    Column("api_key_id", ID, ForeignKey("api_keys.id"), primary_key=True),
    Column("hour", BigInteger, primary_key=True),
    Column("used", Integer, nullable=False),
)
"""Calls of a key within an hour, where the operator set a limit."""
