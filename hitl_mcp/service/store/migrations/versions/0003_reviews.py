"""Templates of reviews, what a request born as a review carries, and whether a loop takes answers from clients."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("requests", sa.Column("due_at", sa.BigInteger(), nullable=True))
    op.add_column("requests", sa.Column("review", sa.Text(), nullable=True))
    op.add_column("loops", sa.Column("allow_client_answers", sa.Integer(), nullable=True))
    op.create_table(
        "templates",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("owner_id", sa.String(length=24), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=True),
        sa.Column("slug", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("loop_id", sa.String(length=24), nullable=True),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["loop_id"], ["loops.id"], name=op.f("fk_templates_loop_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_templates_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_templates")),
    )
    op.create_index("uq_templates_owner_id_key", "templates", ["owner_id", "key"], unique=True)
