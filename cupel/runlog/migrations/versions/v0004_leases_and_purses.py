"""What one process at a time may do, and the money several processes share."""

from alembic import op

from cupel.runlog.tables import metadata

revision = "0004"
down_revision = "0003"

TABLES = ("leases", "purses")


def upgrade() -> None:
    """Make the tables that are not there yet."""
    metadata.create_all(op.get_bind(), tables=[metadata.tables[name] for name in TABLES], checkfirst=True)


def downgrade() -> None:
    """Drop them."""
    metadata.drop_all(op.get_bind(), tables=[metadata.tables[name] for name in TABLES])
