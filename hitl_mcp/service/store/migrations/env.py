"""Run by Alembic: migrate over the connection that the caller opened, inside the caller's transaction."""

from __future__ import annotations

from alembic import context

from hitl_mcp.service.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller holds the transaction
)
context.run_migrations()
