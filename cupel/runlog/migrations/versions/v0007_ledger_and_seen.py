"""The ledger of prompts moves into the run log, and with it which documents were seen."""

from alembic import op

from cupel.runlog.tables import metadata

revision = "0007"
down_revision = "0006"

TABLES = ("ledger", "seen_documents")


def upgrade() -> None:
    """Make the tables that are not there yet."""
    metadata.create_all(op.get_bind(), tables=[metadata.tables[name] for name in TABLES], checkfirst=True)


def downgrade() -> None:
    """Drop them."""
    metadata.drop_all(op.get_bind(), tables=[metadata.tables[name] for name in TABLES])
