"""Run by Alembic: over the connection that the caller opened, in the caller's transaction; or as SQL for PostgreSQL."""

from __future__ import annotations

from alembic import context

from hitl_mcp.service.store.tables import metadata

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        render_as_batch=True,
        transactional_ddl=False,  # the caller holds the transaction
    )
    context.run_migrations()
