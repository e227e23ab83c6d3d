"""Alembic's entry point: the connection is handed in by `cupel.runlog.store`."""

from alembic import context

from cupel.runlog.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
