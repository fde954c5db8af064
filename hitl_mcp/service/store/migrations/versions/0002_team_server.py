"""What a team's server needs: keys, invitations, media, feedback, rate limits."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for column in ("key_hash", "hint", "scopes", "loop_ids", "revoked_at", "callback_secret"):
        op.add_column("api_keys", sa.Column(column, _TYPES[column], nullable=True))
    op.create_index("uq_api_keys_key_hash", "api_keys", ["key_hash"], unique=True)
    op.create_index("uq_users_email", "users", ["email"], unique=True)
    op.add_column("loops", sa.Column("archived_at", sa.BigInteger(), nullable=True))
    for column in ("invited_at", "invited_by", "invite_code"):
        op.add_column("members", sa.Column(column, _TYPES[column], nullable=True))
    for column in ("callback_url", "tags", "media", "dialect"):
        op.add_column("requests", sa.Column(column, _TYPES[column], nullable=True))
    op.create_table(
        "invites",
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("loop_id", sa.String(length=24), nullable=False),
        sa.Column("issuer_id", sa.String(length=24), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["issuer_id"], ["users.id"], name=op.f("fk_invites_issuer_id")),
        sa.ForeignKeyConstraint(["loop_id"], ["loops.id"], name=op.f("fk_invites_loop_id")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_invites")),
    )
    op.create_index("ix_invites_loop_id", "invites", ["loop_id"], unique=False)
    op.create_table(
        "media",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content_type", sa.String(length=40), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_media")),
    )
    op.create_table(
        "request_media",
        sa.Column("request_id", sa.String(length=24), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["media.digest"], name=op.f("fk_request_media_digest")),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_request_media_request_id")),
        sa.PrimaryKeyConstraint("request_id", "digest", name=op.f("pk_request_media")),
    )
    op.create_table(
        "feedback",
        sa.Column("request_id", sa.String(length=24), nullable=False),
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_feedback_request_id")),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_feedback")),
    )
    op.create_table(
        "rate_usage",
        sa.Column("api_key_id", sa.String(length=24), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name=op.f("fk_rate_usage_api_key_id")),
        sa.PrimaryKeyConstraint("api_key_id", "hour", name=op.f("pk_rate_usage")),
    )


_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "key_hash": sa.String(length=64),
    "hint": sa.String(length=20),
    "scopes": sa.Text(),
    "loop_ids": sa.Text(),
    "revoked_at": sa.BigInteger(),
    "callback_secret": sa.String(length=80),
    "invited_at": sa.BigInteger(),
    "invited_by": sa.String(length=80),
    "invite_code": sa.String(length=20),
    "callback_url": sa.String(length=2000),
    "tags": sa.Text(),
    "media": sa.Text(),
    "dialect": sa.String(length=20),
}
