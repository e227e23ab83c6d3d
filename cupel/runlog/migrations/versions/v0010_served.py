"""Callers of a server: their keys, what they may still spend, and what was done for them."""

from alembic import op

from cupel.runlog.tables import counted, metadata

revision = "0010"
down_revision = "0009"

TABLES = ("serve_keys", "allowances", "served", "served_calls")


def upgrade() -> None:
    """Make the tables, where they are not there yet."""
    metadata.create_all(op.get_bind(), tables=[metadata.tables[name] for name in TABLES], checkfirst=True)
    counted.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop them."""
    counted.drop(op.get_bind(), checkfirst=True)
    metadata.drop_all(op.get_bind(), tables=[metadata.tables[name] for name in TABLES])
