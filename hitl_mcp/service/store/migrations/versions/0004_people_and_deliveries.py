"""People's accounts and roles, how they are reached, what leaves the service, escalation, anchors of the event log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "anchors",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("heads", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_anchors")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "guesses",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("about", sa.String(length=80), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guesses")),
    )
    op.create_index("ix_guesses_about_at", "guesses", ["about", "at"], unique=False)
    op.create_table(
        "channels",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("user_id", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Integer(), nullable=False),
        sa.Column("shows_text", sa.Integer(), nullable=True),
        sa.Column("last_sent_at", sa.BigInteger(), nullable=True),
        sa.Column("failed_at", sa.BigInteger(), nullable=True),
        sa.Column("fault", sa.String(length=500), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_channels_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
    )
    op.create_index("ix_channels_user_id", "channels", ["user_id"], unique=False)
    op.create_table(
        "access_tokens",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("api_key_id", sa.String(length=24), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("loop_ids", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name=op.f("fk_access_tokens_api_key_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_access_tokens")),
    )
    op.create_index("ix_access_tokens_expires_at", "access_tokens", ["expires_at"], unique=False)
    op.create_table(
        "endpoints",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("user_id", sa.String(length=24), nullable=False),
        sa.Column("api_key_id", sa.String(length=24), nullable=True),
        sa.Column("loop_id", sa.String(length=24), nullable=True),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=True),
        sa.Column("secret", sa.String(length=200), nullable=False),
        sa.Column("former_secret", sa.String(length=200), nullable=True),
        sa.Column("former_until", sa.BigInteger(), nullable=True),
        sa.Column("enabled", sa.Integer(), nullable=False),
        sa.Column("disabled_why", sa.String(length=500), nullable=True),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name=op.f("fk_endpoints_api_key_id")),
        sa.ForeignKeyConstraint(["loop_id"], ["loops.id"], name=op.f("fk_endpoints_loop_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_endpoints_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoints")),
    )
    op.create_index("ix_endpoints_loop_id", "endpoints", ["loop_id"], unique=False)
    op.create_index("ix_endpoints_user_id", "endpoints", ["user_id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("target", sa.String(length=80), nullable=False),
        sa.Column("line", sa.String(length=170), nullable=False),
        sa.Column("event_id", sa.String(length=80), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("request_id", sa.String(length=24), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("fault", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_deliveries_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_line_id", "deliveries", ["line", "id"], unique=False)
    op.create_index("ix_deliveries_request_id", "deliveries", ["request_id"], unique=False)
    op.create_index(
        "ix_deliveries_target_due_at",
        "deliveries",
        ["target", "due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("ix_deliveries_target_id", "deliveries", ["target", "id"], unique=False)
    op.create_index(
        "ix_deliveries_waiting",
        "deliveries",
        ["line", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("excerpt", sa.String(length=1000), nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name=op.f("fk_attempts_delivery_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_attempts_delivery_id", "attempts", ["delivery_id"], unique=False)
    op.add_column("invites", sa.Column("email", sa.String(length=320), nullable=True))
    op.add_column("invites", sa.Column("role", sa.String(length=20), nullable=True))
    op.add_column("loops", sa.Column("guidelines", sa.Text(), nullable=True))
    op.add_column("loops", sa.Column("undo_seconds", sa.Integer(), nullable=True))
    op.add_column("loops", sa.Column("ladder", sa.Text(), nullable=True))
    op.add_column("members", sa.Column("role", sa.String(length=20), nullable=True))
    op.add_column("members", sa.Column("notify_from", sa.String(length=20), nullable=True))
    op.add_column("requests", sa.Column("assigned_to", sa.String(length=24), nullable=True))
    op.add_column("requests", sa.Column("asked_back", sa.Text(), nullable=True))
    op.add_column("requests", sa.Column("similar", sa.String(length=64), nullable=True))
    op.add_column("requests", sa.Column("held_until", sa.BigInteger(), nullable=True))
    op.add_column("requests", sa.Column("held_answer", sa.Text(), nullable=True))
    op.add_column("requests", sa.Column("remind_at", sa.BigInteger(), nullable=True))
    op.add_column("requests", sa.Column("escalate_at", sa.BigInteger(), nullable=True))
    op.add_column("requests", sa.Column("escalation_level", sa.Integer(), nullable=True))
    op.add_column("requests", sa.Column("escalation", sa.Text(), nullable=True))
    op.create_index(
        "ix_requests_escalate_at",
        "requests",
        ["escalate_at"],
        unique=False,
        sqlite_where=sa.text("escalate_at IS NOT NULL"),
        postgresql_where=sa.text("escalate_at IS NOT NULL"),
    )
    op.create_index(
        "ix_requests_held_until",
        "requests",
        ["held_until"],
        unique=False,
        sqlite_where=sa.text("held_until IS NOT NULL"),
        postgresql_where=sa.text("held_until IS NOT NULL"),
    )
    op.create_index(
        "ix_requests_remind_at",
        "requests",
        ["remind_at"],
        unique=False,
        sqlite_where=sa.text("remind_at IS NOT NULL"),
        postgresql_where=sa.text("remind_at IS NOT NULL"),
    )
    op.add_column("sessions", sa.Column("id", sa.String(length=24), nullable=True))
    op.add_column("sessions", sa.Column("device", sa.String(length=200), nullable=True))
    op.add_column("sessions", sa.Column("seen_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"], unique=False)
    op.add_column("sign_ins", sa.Column("purpose", sa.String(length=20), nullable=True))
    op.add_column("users", sa.Column("password_hash", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("time_zone", sa.String(length=64), nullable=True))
    op.add_column("users", sa.Column("quiet_from", sa.Integer(), nullable=True))
    op.add_column("users", sa.Column("quiet_until", sa.Integer(), nullable=True))
    op.add_column("users", sa.Column("breaks_quiet", sa.String(length=20), nullable=True))
    op.add_column("users", sa.Column("reminders", sa.Integer(), nullable=True))
