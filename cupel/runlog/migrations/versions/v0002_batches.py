"""What is at a provider's batch API: its jobs, and the requests in them."""

from alembic import op

from cupel.runlog.tables import metadata

revision = "0002"
down_revision = "0001"

TABLES = ("batch_jobs", "batch_requests")


def upgrade() -> None:
    """Make the tables that are not there yet."""
    metadata.create_all(op.get_bind(), tables=[metadata.tables[name] for name in TABLES], checkfirst=True)


def downgrade() -> None:
    """Drop them."""
    metadata.drop_all(op.get_bind(), tables=[metadata.tables[name] for name in TABLES])
